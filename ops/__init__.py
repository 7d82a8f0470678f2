"""What people run: the local stack, the demo, the audit. Not deployed."""
