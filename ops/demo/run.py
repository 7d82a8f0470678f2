"""One run of the demo, on a stack that is up: publish, process, show, verify."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ops.demo.token_search import places_with_tokens
from ops.inspection import tables
from ops.inspection.leftovers import DeadLetter, Rejection, read_dead_letters, read_rejections
from ops.local_aws.stack import LocalStack
from ops.publishing.publisher import Message, Publisher
from ops.verification.verifying import Verifier
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.items import Session
from schemas.outcomes import Outcome

SHOWN_CUSTOMERS = ("customer-1001", "customer-1002", "customer-2001", "customer-2002")
"""Two of the samples, two of the day."""

_LINE_EVERY_SECONDS = 3.0
"""How often a line says how far it is where output goes to no terminal."""
_FINAL = tuple(outcome for outcome in Outcome if outcome is not Outcome.RETRY)


class DemoRun:
    """One run, on a stack that is up."""

    def __init__(self, stack: LocalStack, console: Console) -> None:
        self._stack = stack
        self._logs = stack.logs()
        self._console = console
        self._published = 0
        self._rejections: list[Rejection] = []
        self._dead_letters: list[DeadLetter] = []
        self._dead_commands: list[DeadLetter] = []

    def publish_and_process(self, messages: Sequence[Message]) -> None:
        """Publish everything, wait until it is processed, and show what became of it.

        Raises:
            LocalStackError: The emulator ended, or nothing moves any more.
            PublishError: The bus or the queue keeps refusing events.
        """
        began = time.monotonic()
        with self._progress() as progress:
            published = progress.add_task("Published", total=len(messages))
            processed = progress.add_task("Processed", total=len(messages))
            self._publish(messages, progress, published)
            all_published = time.monotonic() - began
            all_processed = self._settle(len(messages), progress, processed) - began
            self._read_leftovers()
            progress.update(processed, completed=self._processed() + len(self._dead_letters))
        settled = time.monotonic() - began
        self._console.print(
            f"Published {len(messages):,} events in {all_published:.1f} s; processed in {all_processed:.1f} s: "
            f"[bold]{len(messages) / all_processed:,.0f} events/s[/] from publisher to session item. "
            f"Projections and dead-letter queues were complete after {settled:.1f} s.\n"
        )
        counts = Counter({outcome: self._logs.metrics[outcome] for outcome in Outcome})
        self._console.print(tables.outcomes_table(counts))
        self._console.print(tables.rejections_table(self._rejections))
        self._console.print(tables.dead_letters_table([*self._dead_letters, *self._dead_commands]))

    def show_customers(self) -> None:
        """Show sessions and projections of some customers."""
        client, outputs = self._stack.client("dynamodb"), self._stack.outputs
        sessions = SessionTable(client, outputs["SessionsTableName"])
        projections = ProjectionTable(client, outputs["ProjectionsTableName"])
        now = datetime.now(UTC)
        shown = [session for customer_id in SHOWN_CUSTOMERS for session in _family(sessions, customer_id)]
        self._console.print(tables.sessions_table(shown, now=now))
        activities = [projections.get_customer_activity(customer_id, now=now) for customer_id in SHOWN_CUSTOMERS]
        self._console.print(tables.activities_table(activities))

    def verify(self) -> bool:
        """Verify every projection, look for lost events and stored tokens, show it; answers whether all holds."""
        client, outputs = self._stack.client("dynamodb"), self._stack.outputs
        names = outputs["SessionsTableName"], outputs["ProjectionsTableName"]
        sessions = SessionTable(client, names[0], batch_statements=False)
        projections = ProjectionTable(client, names[1], sessions=sessions, batch_statements=False)
        result = Verifier(sessions, projections, wait=timedelta(0)).verify_all()  # everything has settled
        texts = {
            "rejected-events queue": [rejection.text for rejection in self._rejections],
            "functions' logs": self._logs.lines,
        }
        leaks = places_with_tokens(client, names, texts)
        # Logout commands of the projector have outcomes too: there may be more of them than was published, never fewer.
        lost = max(0, self._published - self._processed() - len(self._dead_letters))
        self._console.print(tables.verification_table(result, lost=lost, places_with_tokens=leaks))
        if result.mismatches:
            self._console.print(tables.mismatches_table(result))
        for problem in result.unreadable:
            self._console.print(f"[red]unreadable:[/] {problem}")
        return result.is_clean and not leaks and not lost

    def _publish(self, messages: Sequence[Message], progress: Progress, published: TaskID) -> None:
        publisher = Publisher(
            events=self._stack.client("events"),
            sqs=self._stack.client("sqs"),
            bus_name=self._stack.outputs["EventBusName"],
            queue_url=self._stack.outputs["SessionEventsQueueUrl"],
        )

        def show(count: int) -> None:
            self._published += count
            progress.advance(published, count)

        publisher.publish(messages, on_published=show)

    def _settle(self, expected: int, progress: Progress, processed: TaskID) -> float:
        """Wait, and answer when the last event that has an outcome got it: the poison message never has one."""
        finished_at, count, line_at = time.monotonic(), 0, time.monotonic()

        def show() -> None:
            nonlocal finished_at, count, line_at
            if self._processed() > count:
                finished_at, count = time.monotonic(), self._processed()
                progress.update(processed, completed=min(count, expected))
            if not self._console.is_terminal and time.monotonic() - line_at > _LINE_EVERY_SECONDS:
                line_at = time.monotonic()
                attempts = self._logs.metrics[Outcome.RETRY]
                waiting = f"; {attempts} failed attempts at what cannot be processed" if count >= expected else ""
                self._console.print(f"Processed {min(count, expected):,} of {expected:,}{waiting}")

        self._stack.settle(self._logs, on_poll=show)
        return finished_at

    def _processed(self) -> int:
        return sum(self._logs.metrics[outcome] for outcome in _FINAL)

    def _read_leftovers(self) -> None:
        sqs, outputs = self._stack.client("sqs"), self._stack.outputs
        self._rejections = read_rejections(sqs, outputs["RejectedEventsQueueUrl"])
        self._dead_letters = read_dead_letters(sqs, outputs["SessionEventsDeadLetterQueueUrl"])
        self._dead_commands = read_dead_letters(sqs, outputs["SessionCommandsDeadLetterQueueUrl"])

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )


def _family(sessions: SessionTable, customer_id: str) -> list[Session]:
    """Read a customer's sessions and their children, whatever their state."""
    return [
        member
        for session in sessions.get_sessions_by_customer_id(customer_id, live_only=False)
        for member in (session, *sessions.get_child_sessions_by_session_id(session.session_id))
    ]
