"""Exports the JSON Schemas and registry documents for publishers."""
