"""Life-cycle events: from stream records, and from the agenda of expiries."""
