"""What became of an event: in the register, in the queues, in the logs."""
