"""`sessionctl`, the command line: a module per command, and what they share.

`local`, `demo`, `publish`, `get`, `verify` and `mapping` are the commands. `options` are the options they share,
`stacks` finds the stack that is meant, `running_stack` the local one that runs in another terminal, `failures` puts
errors into a line. Command modules import what is slow when a command runs, so that help and completion come at once.
"""

from ops.sessionctl.app import main

__all__ = ["main"]
