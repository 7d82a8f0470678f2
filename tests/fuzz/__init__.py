"""Hostile input to the handlers: whatever it is, each record ends in one outcome and nothing of it is logged."""
