"""What waits for a person, and its remedy: rejected events, dead letters, failed stream batches."""
