"""Translates template.yaml as a deployment does, and checks what linters do not look at."""
