"""Verifying the projections against a recount of the session items, and mending what differs."""
