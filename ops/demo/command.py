"""The demo: a day of login and logout events through the whole system, on this machine, verified at the end.

Run it with `python -m ops.demo`. Exit code 0: everything holds; 1: it does not; 2: it could not run; 130: Ctrl-C.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from ops.demo.day import MINIMUM_SIZE, Kind, make_day
from ops.demo.run import DemoRun
from ops.demo.samples import SampleError, load_samples
from ops.handler_output import HandlerOutput
from ops.local_stack.stack import Engine, LocalStack, LocalStackError
from ops.publishing import Message, PublishError
from schemas.outcomes import Outcome

SHOWN_CUSTOMERS = ("customer-1001", "customer-1002", "customer-2001", "customer-2002")
"""Two of the samples, two of the day."""

_DRAIN_SECONDS = 180.0
_REFRESH_SECONDS = 0.1
_FINAL = tuple(outcome for outcome in Outcome if outcome is not Outcome.RETRY)


def main(
    arguments: Sequence[str] | None = None, *, before_verification: Callable[[LocalStack], None] | None = None
) -> int:
    """Run the demo.

    Args:
        arguments: The command line, without the program's name; None for that of this process.
        before_verification: Called with the drained stack before its projections are verified.

    Returns:
        The exit code: 0 everything holds, 1 it does not, 2 the demo could not run, 130 stopped by Ctrl-C.
    """
    options = _parse(arguments)
    console = Console(file=sys.stdout, highlight=False)
    _introduce(console, options)
    try:
        with HandlerOutput.overwriting(options.log).captured() as output, _stack(options) as stack:
            demo = DemoRun(stack, output, console)
            demo.publish_and_process(_messages(console, options))
            if before_verification:
                before_verification(stack)
            demo.show_customers()
            holds = demo.verify()
    except (LocalStackError, PublishError, SampleError, ClientError, BotoCoreError, OSError) as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"The demo could not run: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("Stopped before the end; nothing is left running.")
        return 130
    _conclude(console, options, holds=holds)
    return 0 if holds else 1


def _stack(options: argparse.Namespace) -> LocalStack:
    """Describe the stack; retries come at once, so that the poison message takes seconds and not half an hour."""
    return LocalStack(engine=options.engine, retry_after_seconds=0)


def _messages(console: Console, options: argparse.Namespace) -> list[Message]:
    now = datetime.now(UTC)
    samples = load_samples(now=now)
    day = make_day(seed=options.seed, size=options.events, now=now)
    kinds = Counter(delivery.kind for delivery in day)
    repeated = kinds[Kind.REPEATED_EVENT] + kinds[Kind.REPEATED_FACT]
    foreign = Counter(delivery.provider for delivery in day if delivery.provider)
    console.print(
        f"Publishing the {len(samples)} samples of tests/events and a day of {len(day):,} events (seed {options.seed}) "
        f"over EventBridge and SQS. Among them: {kinds[Kind.REFRESH]:,} silent re-logins, "
        f"{kinds[Kind.CHILD_LOGIN]:,} child sessions, {repeated} copies, {kinds[Kind.MALFORMED]} malformed events and "
        f"{kinds[Kind.POISON]} poison message. In the shapes of other systems: "
        f"{', '.join(f'{count:,} of {provider}' for provider, count in sorted(foreign.items()))}.\n"
    )
    return [*samples, *day]


def _introduce(console: Console, options: argparse.Namespace) -> None:
    console.print(
        f"[bold]A day of {options.events:,} login and logout events is about to go through the whole system, "
        "on this machine.[/] "
        "It needs no AWS account and no Docker, and takes about a minute.\n"
        "Queues, tables, bus and rules come from template.yaml; the handlers are those that Lambda runs. "
        "At the end every customer's projection is compared with a recount of the session items.\n"
    )
    console.print(f"Engine: {options.engine}. What the handlers log goes to {options.log}\n", soft_wrap=True)


def _conclude(console: Console, options: argparse.Namespace, *, holds: bool) -> None:
    if not holds:
        console.print("[bold red]FAILED: it does not hold.[/] What differs is above.")
        console.print(f"Next: search the log for the customers named above: {options.log}", soft_wrap=True)
        return
    console.print("[bold green]VERIFIED: every projection agrees with the session items; no event is lost.[/]")
    command = f"{_interpreter()} -m ops.demo"
    if options.engine == "moto":
        console.print(
            f"Next, the same on a real engine (needs Java 17):\n  {command} --engine dynamodb-local", soft_wrap=True
        )
    else:
        console.print(
            f"Next, another day:\n  {command} --engine {options.engine} --seed {options.seed + 1}", soft_wrap=True
        )


def _interpreter() -> str:
    """Name this Python as one would type it here."""
    path, here = Path(sys.executable), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--engine",
        choices=get_args(Engine),
        default="moto",
        help="what the tables live on (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, another day (default: %(default)s)")
    parser.add_argument("--events", type=int, default=3000, help="events of the day (default: %(default)s)")
    parser.add_argument("--log", type=Path, help="where handlers log (default: a new temporary file)")
    options = parser.parse_args(arguments)
    if options.events < MINIMUM_SIZE:
        parser.error(f"--events takes at least {MINIMUM_SIZE}, so that each kind of event is among them")
    if options.log is None:
        with tempfile.NamedTemporaryFile(prefix="session-demo-", suffix=".log", delete=False) as file:
            options.log = Path(file.name)
    return options
