"""Publish one event that options describe, and read files of them."""

# ruff: noqa: PLC0415 (models and boto3 take a second to import)

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import typer

from ops.sessionctl.durations import parse_duration
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import Via
from ops.sessionctl.screen import command_line, say, show_json
from ops.sessionctl.stacks import Where, open_stack
from schemas.times import format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from ops.tracing.awaiting import Awaited


def read_file(file: str) -> str:
    """Read a file of events, or standard input for `-`.

    Raises:
        CannotRunError: It is not there, or not UTF-8.
    """
    try:
        if file == "-":
            return sys.stdin.read()
        return Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CannotRunError(
            f"there is no file {file}, and no command of that name: `{command_line('publish', '--help')}` shows them"
        ) from None
    except UnicodeDecodeError as error:
        raise CannotRunError(f"{file} is not UTF-8: {error.reason} at byte {error.start}") from error


def event_of(event_type: str, event_id: str | None, occurred_at: str, source: str) -> dict[str, Any]:
    """Begin an event of the options that all kinds have; without an id it gets one."""
    return {
        "event_id": event_id or str(uuid4()),
        "event_type": event_type,
        "occurred_at": occurred_at,
        "source": source,
    }


def now_text() -> str:
    """Write the time, as `occurred_at` has it."""
    return format_rfc3339(datetime.now(UTC))


def later(when: str, duration: str) -> str:
    """Add a duration to a time.

    Raises:
        BadParameter: One of them is not what it should be.
    """
    try:
        lifetime = parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expires-in") from error
    try:
        return format_rfc3339(parse_rfc3339(when) + lifetime)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{error}", param_hint="--occurred-at") from error


def publish_one(
    event: dict[str, Any], where: Where, *, via: Via, validate: bool, as_json: bool, wait_seconds: int | None
) -> None:
    """Publish one event, and say so.

    Args:
        event: Its fields; None for those that were not given.
        where: Which stack.
        via: What carries it.
        validate: Refuse what a consumer would reject.
        as_json: Answer with a document.
        wait_seconds: See what becomes of it, while something changes within so long; None: do not wait.

    Raises:
        CannotRunError: It is not valid, or was refused.
        Exit: With 1 where it has not had its effect.
    """
    from ops.sessionctl.following import Follower, documents, is_settled
    from ops.sessionctl.sending import publish_event

    event = {name: value for name, value in event.items() if value is not None}
    if "client" in event:
        event["client"] = {name: value for name, value in event["client"].items() if value is not None}
        if not event["client"]:
            del event["client"]
    outcomes: list[Awaited] = []
    with open_stack(where) as stack:
        follower = Follower(stack, wait_seconds or 0)
        before = follower.look_before if wait_seconds is not None else lambda messages: None
        publish_event(stack, json.dumps(event), via=via, source=event["source"], validate=validate, before=before)
        if not as_json:
            say(f"Published {event['event_type']} {event['event_id']} to {stack.name} over {via.label}.")
        if wait_seconds is not None:
            outcomes = follower.wait()
    if as_json:
        outcome = {"outcome": next(iter(documents(outcomes)), None)} if wait_seconds is not None else {}
        show_json({"stack": stack.name, "via": via, "event": event} | outcome)
    if wait_seconds is not None and not is_settled(outcomes):
        raise typer.Exit(1)
