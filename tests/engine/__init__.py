"""What only a real engine can show: races, real stream records, real TTL deletion."""
