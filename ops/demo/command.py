"""Play a day of login and logout events through the whole system, on this machine, and verify it."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from ops.demo.day import MINIMUM_SIZE, make_day
from ops.demo.deliveries import Kind
from ops.demo.report import report_day
from ops.demo.run import DemoRun
from ops.demo.samples import SampleError, load_samples
from ops.local_aws.serving import serve
from ops.local_aws.stack import LocalStack, LocalStackError
from ops.publishing.publisher import Message, PublishError
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.running_stack import RunningStack, announcing
from ops.sessionctl.screen import command_line
from ops.signals import EndedBySignalError, ending_by_signal

DEFAULT_EVENTS = 600
"""A day that is through in less than a minute on two cores."""

DEFAULT_NAME = "session-events-demo"

DEFAULT_REPORT = Path("demo-report")
"""The folder of the day's report."""


def main(
    arguments: Sequence[str] | None = None, *, before_verification: Callable[[LocalStack], None] | None = None
) -> int:
    """Run the demo on a local stack of its own.

    Args:
        arguments: The command line, without the program's name; None for that of this process.
        before_verification: Called with the settled stack before its projections are verified.

    Returns:
        The exit code: 0 everything holds, 1 it does not, 2 the demo could not run, 130 stopped by Ctrl-C.
    """
    options = _parse(arguments)
    console = Console(file=sys.stdout, highlight=False)
    stack = LocalStack(options.name)
    try:
        with ending_by_signal(), announcing(options.name) if options.keep else nullcontext() as announce:
            _introduce(console, options.events)
            with stack:
                holds = play(console, stack, seed=options.seed, events=options.events, before=before_verification)
                holds = report_day(console, stack, options.report) and holds
                _conclude(console, options, holds=holds)
                if announce is not None:
                    announce(RunningStack(os.getpid(), stack.name, stack.region, stack.endpoint, stack.outputs))
                    _say_what_is_up(console, stack)
                    serve(console, stack)
    except (LocalStackError, PublishError, SampleError, ClientError, BotoCoreError, CannotRunError, OSError) as error:
        message = " ".join(str(error).split())
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"The demo could not run: {message}", markup=False)
        return 2
    except EndedBySignalError:
        console.print("Stopped; nothing is left running.")
        return 0 if options.keep else 130
    return 0 if holds else 1


def play(
    console: Console,
    stack: LocalStack,
    *,
    seed: int = 1,
    events: int = DEFAULT_EVENTS,
    before: Callable[[LocalStack], None] | None = None,
) -> bool:
    """Play a day on a stack that is up, show what became of it, and verify it.

    Args:
        console: Where it is shown.
        stack: The stack.
        seed: Another seed, another day.
        events: Events of the day.
        before: Called with the settled stack before its projections are verified.

    Returns:
        Whether everything holds.

    Raises:
        LocalStackError: The emulator ended, or nothing moves any more.
        PublishError: The bus or the queue keeps refusing events.
    """
    took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in stack.parts.items())
    console.print(f"The stack {stack.name} is deployed ({took}).\n")
    demo = DemoRun(stack, console)
    demo.publish_and_process(_messages(console, seed, events))
    if before is not None:
        before(stack)
    demo.show_customers()
    return demo.verify()


def _messages(console: Console, seed: int, events: int) -> list[Message]:
    now = datetime.now(UTC)
    samples = load_samples(now=now)
    day = make_day(seed=seed, size=events, now=now)
    kinds = Counter(delivery.kind for delivery in day)
    repeated = kinds[Kind.REPEATED_EVENT] + kinds[Kind.REPEATED_FACT]
    foreign = Counter(delivery.provider for delivery in day if delivery.provider)
    console.print(
        f"Publishing the {len(samples)} samples of tests/events and a day of {len(day):,} events (seed {seed}) "
        f"over EventBridge and SQS. Among them: {kinds[Kind.REFRESH]:,} silent re-logins, "
        f"{kinds[Kind.CHILD_LOGIN]:,} child sessions, {repeated} copies, {kinds[Kind.MALFORMED]} malformed events and "
        f"{kinds[Kind.POISON]} poison message. In the shapes of other systems: "
        f"{', '.join(f'{count:,} of {provider}' for provider, count in sorted(foreign.items()))}.\n"
    )
    return [*samples, *day]


def _introduce(console: Console, events: int) -> None:
    takes = ", and takes less than a minute" if events <= DEFAULT_EVENTS else ""
    console.print(
        f"[bold]A day of {events:,} login and logout events is about to go through the whole system, "
        f"on this machine.[/] It needs no AWS account and no Docker{takes}.\n"
        "template.yaml is deployed through CloudFormation to a local AWS (MiniStack). At the end every customer's "
        "projection is compared with a recount of the session items, and the day becomes a report.\n"
    )


def _conclude(console: Console, options: argparse.Namespace, *, holds: bool) -> None:
    if not holds:
        console.print("[bold red]FAILED: it does not hold.[/] What differs is above.")
        return
    console.print("[bold green]VERIFIED: every projection agrees with the session items; no event is lost.[/]")
    if not options.keep:
        again = command_line("demo", "--keep")
        console.print(f"Next, the same with the stack left up, to look around in it:\n  {again}", soft_wrap=True)


def _say_what_is_up(console: Console, stack: LocalStack) -> None:
    commands = [("get", "customer", "customer-1001", "--all"), ("list", "sessions", "--live"), ("status",), ("env",)]
    console.print(
        f"\nThe stack {stack.name} stays up with its data, at {stack.endpoint}, until Ctrl-C. In a second terminal:"
    )
    for command in commands:
        console.print(f"  {command_line(*command)}", soft_wrap=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="another seed, another day (default: %(default)s)")
    parser.add_argument("--events", type=int, default=DEFAULT_EVENTS, help="events of the day (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the stack up with its data, until Ctrl-C")
    parser.add_argument("--name", default=DEFAULT_NAME, help="the stack's name (default: %(default)s)")
    parser.add_argument(
        "--report", type=Path, default=DEFAULT_REPORT, help="the folder of the day's report (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.events < MINIMUM_SIZE:
        parser.error(f"--events takes at least {MINIMUM_SIZE}, so that each kind of event is among them")
    return options
