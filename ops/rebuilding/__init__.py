"""Making things anew while the system runs: projections from the register, and the stream from the register's items."""
