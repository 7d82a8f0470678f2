"""The deployed template on this machine: resources, pollers, handlers."""
