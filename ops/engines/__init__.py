"""Servers that stand in for AWS, each a process of its own: moto, DynamoDB Local."""
