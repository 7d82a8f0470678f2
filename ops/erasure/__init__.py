"""The erasure of a customer."""
