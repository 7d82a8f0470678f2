"""Replay of failed batches: records to the function that failed, life-cycle events to where they were refused.

Repeating any of it is harmless: a function merges records that it knows already, and life-cycle events keep their ids.
An object is deleted when all of it was taken, and only if it has not changed meanwhile: a function that still cannot
read a record sets it aside again under the same key.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.recovery.failed_batches import Kind, StoredBatch, UnreadableBatchError, lines_of, read_text, records_of
from processors.aws.archive_stream import ArchiveStream
from processors.aws.event_bus import EventBus
from processors.life_cycle.agenda import SLOT_SECONDS, AgendaItem, Entry, remainder
from processors.life_cycle.agenda_table import AgendaTable
from schemas.keys import SESSION_PREFIX, Key
from schemas.life_cycle import DETAIL_TYPES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_INVOCATION_BYTES = 6_000_000
"""Source: Lambda quotas, "Invocation payload": 6 MB each for request and response of a synchronous invocation."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an object.

    Attributes:
        key: Its key.
        is_done: Whether all of it was taken, and the object deleted.
        problem: Why not; empty where it is done.
    """

    key: str
    is_done: bool
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Takes failed batches to where they belong.

    Attributes:
        s3: A boto3 S3 client.
        bucket: The failed-batches bucket.
        invoke: Calls a function, by name, with a payload; returns its answer, or raises `FunctionFailedError`.
        functions: Names of the stack's functions that read the stream.
        bus: The bus of life-cycle events; None where the stack has none.
        archive: The archive's stream; None where the stack has none.
        agenda: The expiry agenda; None where the stack has none.
    """

    s3: "S3Client"
    bucket: str
    invoke: Callable[[str, str], Mapping[str, Any]]
    functions: frozenset[str]
    bus: EventBus | None = None
    archive: ArchiveStream | None = None
    agenda: AgendaTable | None = None

    def replay(self, batch: StoredBatch) -> Result:
        """Replay an object, and delete it where all of it was taken.

        Raises:
            ClientError: S3 or Lambda refused; the object is still there.
            BotoCoreError: One could not be reached; the object is still there.
        """
        try:
            problem = self._replay(batch)
        except UnreadableBatchError as error:
            problem = str(error)
        except FunctionFailedError as error:
            problem = f"{batch.function} failed again: {error}"
        if problem:
            return Result(batch.key, is_done=False, problem=problem)
        if self._etag(batch.key) != batch.etag:
            return Result(batch.key, is_done=False, problem="the function set it aside again: it still cannot read it")
        self.s3.delete_object(Bucket=self.bucket, Key=batch.key)
        return Result(batch.key, is_done=True)

    def _replay(self, batch: StoredBatch) -> str:
        """Take an object to where it belongs; returns what is wrong, or nothing."""
        text = read_text(self.s3, self.bucket, batch.key)
        match batch.kind:
            case Kind.RECORDS:
                return self._invoke_with(batch.function, records_of(text))
            case Kind.BUS:
                return _put(self.bus, "event bus", lines_of(text))
            case Kind.ARCHIVE:
                return _put(self.archive, "archive", lines_of(text))
            case Kind.AGENDA:
                return self._note(lines_of(text))
        return "none of our functions wrote it"

    def _invoke_with(self, function: str, records: Sequence[Any]) -> str:
        if function not in self.functions:
            return f"its function {function or '(unnamed)'} is not of this stack: deploy it, or delete the object"
        return self._invoke_part(function, records)

    def _invoke_part(self, function: str, records: Sequence[Any]) -> str:
        """Invoke with records, halved where they are too many for an invocation; the second half in any case.

        Raises:
            FunctionFailedError: The function raised.
        """
        payload = json.dumps({"Records": list(records)})
        if len(payload) > MAX_INVOCATION_BYTES and len(records) > 1:
            middle = len(records) // 2
            halves = [self._invoke_part(function, part) for part in (records[:middle], records[middle:])]
            return next(filter(None, halves), "")
        failures = self.invoke(function, payload).get("batchItemFailures") or []
        if not failures:
            return ""
        number = str(failures[0].get("itemIdentifier", ""))
        return f"{function} could not process the record {number or '(unnumbered)'}: its log says why"

    def _note(self, entries: Sequence[Any]) -> str:
        """Put entries back on the agenda: the sweeper reads their sessions again."""
        if self.agenda is None:
            return "the stack has no expiry agenda: switch PublishSessionEvents on, or delete the object"
        sessions = [_entry(raw) for raw in entries]
        items = [_item(entry) for entry in sessions if entry is not None]
        if items and not self.agenda.put(items):
            return "the agenda's table did not take it"
        lost = sum(entry is None for entry in sessions)
        return f"{lost} of {len(entries)} entries name no session, so nothing can be done with them" if lost else ""

    def _etag(self, key: str) -> str:
        return str(self.s3.head_object(Bucket=self.bucket, Key=key)["ETag"])


class FunctionFailedError(Exception):
    """A function raised; the message is the error's, as Lambda reports it."""


def invoker(client: Any) -> Callable[[str, str], Mapping[str, Any]]:
    """Make what calls a function and waits for its answer.

    Args:
        client: A boto3 Lambda client that waits longer than the function may run, and does not repeat a request.
    """

    def invoke(function: str, payload: str) -> Mapping[str, Any]:
        response = client.invoke(FunctionName=function, Payload=payload.encode())
        answer = json.loads(response["Payload"].read() or b"null")
        if response.get("FunctionError"):
            message = answer.get("errorMessage", "") if isinstance(answer, Mapping) else ""
            raise FunctionFailedError(str(message) or str(response["FunctionError"]))
        return answer if isinstance(answer, Mapping) else {}

    return invoke


def _put(side: EventBus | ArchiveStream | None, name: str, details: Sequence[Any]) -> str:
    if side is None:
        return f"the stack has no {name} any more: switch it on again, or delete the object"
    if not all(isinstance(detail, Mapping) and detail.get("kind") in DETAIL_TYPES for detail in details):
        return "a line is not a life-cycle event"
    failures = side.put(details).all()
    if not failures:
        return ""
    codes = ", ".join(sorted(set(failures.values())))
    return f"the {name} refused {len(failures)} of {len(details)}: {codes}"


def _entry(raw: Any) -> Entry | None:
    match raw:
        case [str(pk), str(sk), int(expires_at)] if pk.startswith(SESSION_PREFIX):
            return Entry(pk, sk, expires_at)
    return None


def _item(entry: Entry) -> AgendaItem:
    slot = max(0, entry.expires_at - entry.expires_at % SLOT_SECONDS)
    return remainder(AgendaItem(Key("", "replayed"), slot, ()), [entry])
