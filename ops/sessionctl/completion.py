"""What the shell offers after Tab: names of stacks, ids of sessions and customers.

A shell waits for it while a person types, and shows whatever is printed: so it takes two seconds at most, reads one
page of a table at most, and is silent where something fails.
"""

# ruff: noqa: PLC0415 (boto3 takes half a second to import)

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Queue
from threading import Thread
from typing import Any

import typer

_SECONDS = 2.0
_MOST = 50
_ITEMS = 2_000
"""Items of a table that are read for it."""


def complete_local_stack(incomplete: str) -> list[str]:
    """Offer the local stacks that run."""
    from ops.sessionctl.running_stack import running_names

    return [name for name in _in_time(running_names) if name.startswith(incomplete)]


def complete_stack(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the deployed stacks that are of this project."""
    return _in_time(lambda: _stacks(ctx.params, incomplete))


def complete_session(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer ids of sessions and child sessions."""
    return _in_time(lambda: _sessions(ctx.params, incomplete))


def complete_customer(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer ids of customers."""
    return _in_time(lambda: _customers(ctx.params, incomplete))


def _in_time(find: Callable[[], Iterable[str]]) -> list[str]:
    """Return what is found in time, and nothing where it fails."""
    answers: Queue[list[str]] = Queue()

    def run() -> None:
        try:
            answers.put(sorted(set(find()))[:_MOST])
        except Exception:  # noqa: BLE001 # whatever it is, the shell is no place to say it
            answers.put([])

    Thread(target=run, daemon=True).start()
    try:
        return answers.get(timeout=_SECONDS)
    except Empty:
        return []


def _stacks(params: dict[str, Any], incomplete: str) -> Iterator[str]:
    import boto3

    session = boto3.Session(profile_name=params.get("profile"), region_name=params.get("region"))
    for stack in session.client("cloudformation").describe_stacks()["Stacks"]:
        outputs = {output["OutputKey"] for output in stack.get("Outputs", [])}
        if stack["StackName"].startswith(incomplete) and "SessionsTableName" in outputs:
            yield stack["StackName"]


def _sessions(params: dict[str, Any], incomplete: str) -> Iterator[str]:
    from schemas.keys import CHILD_PREFIX, SESSION_PREFIX, decode_id, encode_id

    begin = encode_id(incomplete)
    condition = "begins_with(PK, :session) OR begins_with(SK, :child)"
    values = {":session": SESSION_PREFIX + begin, ":child": CHILD_PREFIX + begin}
    for item in _page(params, "SessionsTableName", condition, values):
        if item["PK"]["S"].startswith(values[":session"]):
            yield decode_id(item["PK"]["S"].removeprefix(SESSION_PREFIX))
        if item["SK"]["S"].startswith(values[":child"]):
            yield decode_id(item["SK"]["S"].removeprefix(CHILD_PREFIX))


def _customers(params: dict[str, Any], incomplete: str) -> Iterator[str]:
    from schemas.keys import CUSTOMER_PREFIX, customer_partition, decode_id

    values = {":customer": customer_partition(incomplete)}
    for item in _page(params, "ProjectionsTableName", "begins_with(PK, :customer)", values):
        yield decode_id(item["PK"]["S"].removeprefix(CUSTOMER_PREFIX))


def _page(params: dict[str, Any], output: str, condition: str, values: dict[str, str]) -> list[Any]:
    from ops.sessionctl.stacks import Where, open_stack

    where = Where(
        bool(params.get("local")),
        params.get("name"),
        params.get("stack_name"),
        params.get("profile"),
        params.get("region"),
    )
    with open_stack(where) as stack:
        page: list[Any] = stack.client("dynamodb").scan(
            TableName=stack.outputs[output],
            FilterExpression=condition,
            ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
            Limit=_ITEMS,
        )["Items"]
        return page
