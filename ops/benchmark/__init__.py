"""What an event costs: our handlers beside the textbook pipeline and the bare requests, in one run.

`python -m ops.benchmark` measures and writes `docs/benchmarks.md`.
"""
