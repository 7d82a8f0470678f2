"""Adapters to DynamoDB and SQS: the write loop, conditional writes, sending."""
