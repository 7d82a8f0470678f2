"""How a stack is: what waits for a person, and what of a deployment is not as its template says."""
