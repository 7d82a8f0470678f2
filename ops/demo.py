"""The demo: a day of login and logout events through the whole system, on this machine, verified at the end.

Run it with `python -m ops.demo`. Exit code 0: everything holds; 1: it does not; 2: it could not run; 130: Ctrl-C.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ops import report
from ops.audit import audit
from ops.day import MINIMUM_SIZE, Kind, make_day
from ops.handler_output import HandlerOutput
from ops.leftovers import DeadLetter, Rejection, read_dead_letters, read_rejections
from ops.local_stack import LocalStack, LocalStackError
from ops.publishing import Message, Publisher, PublishError
from ops.samples import SampleError, load_samples
from ops.token_search import places_with_tokens
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.items import Session
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
            demo = _Demo(stack, output, console)
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


class _Demo:
    """One run, on a stack that is up."""

    def __init__(self, stack: LocalStack, output: HandlerOutput, console: Console) -> None:
        self._stack = stack
        self._output = output
        self._console = console
        self._published = 0
        self._rejections: list[Rejection] = []
        self._dead_letters: list[DeadLetter] = []

    def publish_and_process(self, messages: Sequence[Message]) -> None:
        """Publish everything, wait until it is processed, and show what became of it."""
        began = time.monotonic()
        with self._progress() as progress:
            published = progress.add_task("Published", total=len(messages))
            processed = progress.add_task("Processed", total=len(messages))
            self._publish(messages, progress, published, processed)
            all_published = time.monotonic() - began
            all_processed = self._wait_until_drained(len(messages), progress, processed) - began
            self._read_leftovers()
            progress.update(processed, completed=self._processed() + len(self._dead_letters))
        drained = time.monotonic() - began
        self._console.print(
            f"Published {len(messages):,} events in {all_published:.1f} s; processed in {all_processed:.1f} s: "
            f"[bold]{len(messages) / all_processed:,.0f} events/s[/] from publisher to session item. "
            f"Projections and dead-letter queue were complete after {drained:.1f} s.\n"
        )
        counts = Counter({outcome: self._output.metrics()[outcome] for outcome in Outcome})
        self._console.print(report.outcomes_table(counts))
        self._console.print(report.rejections_table(self._rejections))
        self._console.print(report.dead_letters_table(self._dead_letters))

    def show_customers(self) -> None:
        """Show sessions and projections of some customers."""
        client, outputs = self._stack.client("dynamodb"), self._stack.outputs
        sessions = SessionTable(client, outputs["SessionsTableName"])
        projections = ProjectionTable(client, outputs["ProjectionsTableName"])
        now = datetime.now(UTC)
        shown = [session for customer_id in SHOWN_CUSTOMERS for session in _family(sessions, customer_id)]
        self._console.print(report.sessions_table(shown, now=now))
        activities = [projections.get_customer_activity(customer_id, now=now) for customer_id in SHOWN_CUSTOMERS]
        self._console.print(report.activities_table(activities))

    def verify(self) -> bool:
        """Verify every projection, look for lost events and stored tokens, show it; answers whether all holds."""
        client, outputs = self._stack.client("dynamodb"), self._stack.outputs
        tables = outputs["SessionsTableName"], outputs["ProjectionsTableName"]
        self._output.flush()
        result = audit(client, sessions_table=tables[0], projections_table=tables[1])
        texts = {
            "rejected-events queue": [rejection.text for rejection in self._rejections],
            "handlers' log": self._output.path.read_text(encoding="utf-8").splitlines(),
        }
        leaks = places_with_tokens(client, tables, texts)
        # Logout commands of the projector have outcomes too: there may be more of them than was published, never fewer.
        lost = max(0, self._published - self._processed() - len(self._dead_letters))
        self._console.print(report.verification_table(result, lost=lost, places_with_tokens=leaks))
        if result.mismatches:
            self._console.print(report.mismatches_table(result))
        for problem in result.unreadable:
            self._console.print(f"[red]unreadable:[/] {problem}")
        return result.is_clean and not leaks and not lost

    def _publish(self, messages: Sequence[Message], progress: Progress, published: TaskID, processed: TaskID) -> None:
        publisher = Publisher(
            events=self._stack.client("events"),
            sqs=self._stack.client("sqs"),
            bus_name=self._stack.outputs["EventBusName"],
            queue_url=self._stack.outputs["SessionEventsQueueUrl"],
        )

        def show(count: int) -> None:
            self._published += count
            progress.advance(published, count)
            progress.update(processed, completed=self._processed())

        publisher.publish(messages, on_published=show)

    def _wait_until_drained(self, expected: int, progress: Progress, processed: TaskID) -> float:
        """Wait, and answer when the last event that has an outcome got it: the poison message never has one."""
        finished_at, count = time.monotonic(), 0
        with ThreadPoolExecutor(max_workers=1) as pool:
            draining = pool.submit(self._stack.wait_until_drained, timeout=_DRAIN_SECONDS)
            while not draining.done():
                wait([draining], timeout=_REFRESH_SECONDS)
                if self._processed() > count:
                    finished_at, count = time.monotonic(), self._processed()
                    progress.update(processed, completed=min(count, expected))
            draining.result()
        return finished_at

    def _processed(self) -> int:
        metrics = self._output.metrics()
        return sum(metrics[outcome] for outcome in _FINAL)

    def _read_leftovers(self) -> None:
        sqs, outputs = self._stack.client("sqs"), self._stack.outputs
        self._rejections = read_rejections(sqs, outputs["RejectedEventsQueueUrl"])
        self._dead_letters = read_dead_letters(sqs, outputs["SessionEventsDeadLetterQueueUrl"])

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            redirect_stdout=False,  # handlers print while it runs: theirs goes to the log
            redirect_stderr=False,
        )


def _stack(options: argparse.Namespace) -> LocalStack:
    """Describe the stack; retries come at once, so that the poison message takes seconds and not half an hour."""
    return LocalStack(engine=options.engine, retry_after_seconds=0)


def _family(sessions: SessionTable, customer_id: str) -> list[Session]:
    """Read a customer's sessions and their children, whatever their state."""
    return [
        member
        for session in sessions.get_sessions_by_customer_id(customer_id, live_only=False)
        for member in (session, *sessions.get_child_sessions_by_session_id(session.session_id))
    ]


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
        choices=("moto", "dynamodb-local"),
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


if __name__ == "__main__":
    sys.exit(main())
