"""From messages to outcomes: what both consumers do."""
