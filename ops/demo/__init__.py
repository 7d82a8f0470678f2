"""The demo: a day of events through the whole system, verified."""
