"""What life-cycle events cost: publisher and sweeper per session, the delay of an expiry, and a million due at once."""
