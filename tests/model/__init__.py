"""A model of the projections' rules: the real tables, interleaved request by request. See docs/simulation.md."""
