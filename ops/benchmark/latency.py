"""How long ends take to spread: from a parent's logout to its last child, from a logout_all to the last session.

`python -m ops.benchmark.latency` measures it on the local stack, whose batching windows are those of the template.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from ops.local_aws.stack import LocalStack, LocalStackError
from ops.publishing.publisher import Channel, Message, Publisher
from processors.session_table import SessionTable
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent, to_json
from schemas.items import CLOSING, Session

CUSTOMER = "customer-1"
_PATIENCE_SECONDS = 120.0


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table.

    Returns:
        The exit code: 0, or 2 where the stack cannot run or an end does not come.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.benchmark.latency", description=__doc__)
    parser.add_argument("--children", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=500)
    options = parser.parse_args(arguments)
    try:
        rows = measure(children=options.children, sessions=options.sessions)
    except LocalStackError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    table = Table("From", "To", "Seconds", title="Latencies on the local stack")
    for start, end, seconds in rows:
        table.add_row(start, end, f"{seconds:.1f}")
    Console().print(table)
    return 0


def measure(*, children: int, sessions: int) -> list[tuple[str, str, float]]:
    """Time both ways in which one event ends many sessions.

    Returns:
        Rows of what happened, what was waited for, and seconds.

    Raises:
        LocalStackError: The stack cannot run, or an end did not come in time.
    """
    with LocalStack() as stack:
        publisher = Publisher(
            events=stack.client("events"),
            sqs=stack.client("sqs"),
            bus_name=stack.outputs["EventBusName"],
            queue_url=stack.outputs["SessionEventsQueueUrl"],
        )
        table = SessionTable(stack.client("dynamodb"), stack.outputs["SessionsTableName"])
        now = datetime.now(UTC) - timedelta(minutes=1)

        def run(before: Iterable[Event], end: Event, read: Any, expected: int) -> float:
            _publish(publisher, before)
            stack.settle()
            started = time.monotonic()
            _publish(publisher, [end])
            ended, moved_at = 0, started
            while ended < expected:
                now_ended = sum(session.session_state == CLOSING for session in read())
                ended, moved_at = now_ended, time.monotonic() if now_ended > ended else moved_at
                if time.monotonic() - moved_at > _PATIENCE_SECONDS:
                    raise LocalStackError(f"{ended} of {expected} sessions were ended, and nothing moves any more")
                time.sleep(0.25)
            seconds = time.monotonic() - started
            stack.settle()
            return seconds

        family = [_login("parent", now), *(_login(f"child-{n}", now, parent="parent") for n in range(children))]
        logout = LogoutEvent(event_id=_id(), occurred_at=now, customer_id=CUSTOMER, session_id="parent")
        cascade = run(family, logout, lambda: table.get_child_sessions_by_session_id("parent"), children)

        def all_sessions() -> list[Session]:
            found = table.get_sessions_by_customer_id(CUSTOMER, live_only=False)
            return [session for session in found if session.session_id != "parent"]

        many = [_login(f"session-{n}", now) for n in range(sessions)]
        logout_all = LogoutAllEvent(event_id=_id(), occurred_at=datetime.now(UTC), customer_id=CUSTOMER)
        everywhere = run(many, logout_all, all_sessions, sessions)
    return [
        ("a parent's logout is published", f"the last of its {children} children is ended", cascade),
        ("a logout_all is published", f"the last of {sessions} sessions is ended", everywhere),
    ]


def _login(session_id: str, occurred_at: datetime, *, parent: str | None = None) -> LoginEvent:
    return LoginEvent(
        event_id=_id(),
        occurred_at=occurred_at,
        customer_id=CUSTOMER,
        session_id=session_id,
        parent_session_id=parent,
    )


def _publish(publisher: Publisher, events: Iterable[Event]) -> None:
    publisher.publish([Message(Channel.QUEUE, "", json.dumps(to_json(event))) for event in events])


def _id() -> str:
    return str(uuid4())


if __name__ == "__main__":
    sys.exit(main())
