"""What people run; docs/architecture.md says what is where. Not deployed."""
