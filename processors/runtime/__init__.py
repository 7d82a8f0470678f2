"""What a Lambda function gets from its surroundings: settings, clients, clock, logs and metrics."""
