"""What became of all sessions: the archive of life-cycle events as tables, on a laptop, with DuckDB."""
