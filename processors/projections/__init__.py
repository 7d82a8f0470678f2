"""The projections' pure core: stream records merged into a customer's state."""
