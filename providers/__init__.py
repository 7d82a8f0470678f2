"""Translation of identity systems: from what they send to canonical events."""
