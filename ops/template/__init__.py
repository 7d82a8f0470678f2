"""template.yaml, read as what a deployment makes of it."""
