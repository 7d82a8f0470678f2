"""Publishing events to a stack."""
