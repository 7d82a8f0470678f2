"""What a stack holds, for people: audit of the projections, queues that wait for somebody, tables on the screen."""
