"""Deterministic simulation: the real handlers on a simulated AWS, where everything that can go wrong does, by seed.

One seeded random source decides everything, one virtual clock says when; the same seed plays the same history to the
byte. `python -m tests.simulation --seed N --trace` plays one, `--seeds 1-20000 --jobs 2` many.
"""
