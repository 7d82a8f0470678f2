"""Following what becomes of sessions: a queue and a rule of one's own for a while."""
