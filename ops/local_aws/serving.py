"""Keep a local stack up and show what becomes of events, until somebody ends it."""

import time
from collections import Counter
from datetime import datetime

from rich.console import Console

from ops.local_aws.stack import LocalStack
from schemas.outcomes import Outcome

_REFRESH_SECONDS = 0.5


def serve(console: Console, stack: LocalStack) -> None:
    """Show outcomes as they come; ends only by an exception.

    Raises:
        LocalStackError: The emulator has ended.
        EndedBySignalError: Somebody ended it (within `ending_by_signal`).
    """
    logs = stack.logs()
    logs.read()
    shown = logs.metrics.copy()
    console.print("\n[bold]Events processed, as they come:[/]")
    while True:
        time.sleep(_REFRESH_SECONDS)
        stack.raise_error()
        logs.read()
        new = logs.metrics - shown
        outcomes = Counter({outcome.value: new[outcome] for outcome in Outcome if new[outcome]})
        if outcomes:
            text = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())
            console.print(f"  {datetime.now():%H:%M:%S}  {text}", markup=False)  # noqa: DTZ005 (the clock on the wall)
        shown = logs.metrics.copy()
