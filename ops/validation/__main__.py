"""Runs the checks: `python -m ops.validation`."""

from ops.validation.checks import main

main()
