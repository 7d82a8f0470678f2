"""The Lambda functions: three handlers, the pure merges, and the two tables they act on."""
