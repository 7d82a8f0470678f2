"""Rebuild projections from the register, one customer's or everybody's, while the system runs."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ops.rebuilding.checkpoint import Checkpoint
from ops.rebuilding.scanning import Pace, scan_pages
from ops.rebuilding.touching import Touch, touch
from processors.aws.conditional_writes import Item, key_item
from processors.aws.errors import ReadError
from processors.aws.item_store import ItemStore
from processors.aws.parallel import chunks, run_all
from processors.projection_table import NotWrittenError, ProjectionTable
from processors.session_table import SessionTable
from schemas import attributes as read
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.item_mapping import key_of
from schemas.keys import CHILD_PREFIX, CUSTOMER_PREFIX, REVOKED_PREFIX, SESSION_PREFIX, Key, decode_id

if TYPE_CHECKING:
    from processors.aws.message_queue import MessageQueue

Send = Callable[[Sequence[str]], object]
OnProgress = Callable[[str, int], object]
"""Learns what is being done, and how many items of it are done."""


class NotSentError(Exception):
    """Logouts that a policy decided could not be sent; the message is the error's code."""


def sender(queue: "MessageQueue") -> Send:
    """Return what sends the logouts of a rebuild; it raises `NotSentError` where one is not sent."""

    def send(bodies: Sequence[str]) -> None:
        if failures := queue.send(bodies):
            raise NotSentError(next(iter(failures.values())))

    return send


def rebuild_one(projections: ProjectionTable, send: Send | None, customer_id: str) -> str | None:
    """Rebuild a customer's projection.

    Returns:
        What went wrong, in words; None where nothing did.
    """
    try:
        projections.rebuild(customer_id, send=send)
    except NewerFormatError as error:
        return f"{error}: a later release wrote it; update sessionctl"
    except MalformedItemError as error:
        return f"{error}; repair or delete the item"
    except ReadError as error:
        return f"a table could not be read: {error.code}"
    except NotWrittenError:
        return "the projection could not be written: races were lost, or the table was throttled"
    except NotSentError as error:
        return f"logouts that a policy decided could not be sent: {error}"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildAll:
    """Rebuilds the projection of every customer that either table names, each once.

    Args:
        sessions: The register.
        projections: The projections, made with `sessions`.
        send: Sends the logouts that policies decide.
        checkpoint: Where the run stands.
        pace: Bounds the customers a second.
        concurrency: Most customers at a time; both tables are made with a concurrency of 1.
        on_progress: Learns how far it is.
    """

    sessions: SessionTable
    projections: ProjectionTable
    send: Send
    checkpoint: Checkpoint
    pace: Pace = field(default_factory=Pace)
    concurrency: int = 1
    on_progress: OnProgress = lambda _what, _count: None

    def run(self) -> None:
        """Scan both tables, and rebuild each customer once; those that failed in an earlier run are tried again.

        The checkpoint counts and names what went wrong. Running it twice is harmless.

        Raises:
            ClientError: The service refused a scan.
            BotoCoreError: It could not be reached.
        """
        self._rebuild(list(self.checkpoint.problems()))
        for table, store in (("sessions", self.sessions.store), ("projections", self.projections.store)):
            position = self.checkpoint.get(table)
            if position == "end":
                continue
            names = ("PK", "SK", "customer_id") if table == "sessions" else ("PK",)
            for page in scan_pages(store, *names, after=position):
                customers = [name for item in page.items if (name := customer_of(item)) is not None]
                self._rebuild(self.checkpoint.not_done(customers))
                self.checkpoint.set(table, page.position or "end")

    def _rebuild(self, customer_ids: Sequence[str]) -> None:
        for part in chunks(customer_ids, self.pace.batch):
            self.pace.take(len(part))
            rebuild = partial(rebuild_one, self.projections, self.send)
            problems = run_all(rebuild, part, concurrency=self.concurrency)
            self.checkpoint.add_done(dict(zip(part, problems, strict=True)))
            self.on_progress("customers rebuilt", self.checkpoint.done_count)


def customer_of(item: Item) -> str | None:
    """Return whose an item of either table is; None where it names nobody, or is another writer's."""
    pk, sk = read.text(item, "PK") or "", read.text(item, "SK")
    if sk is None:
        return decode_id(pk.removeprefix(CUSTOMER_PREFIX)) if pk.startswith(CUSTOMER_PREFIX) else None
    if pk.startswith(SESSION_PREFIX) and sk.startswith(CUSTOMER_PREFIX):
        return decode_id(sk.removeprefix(CUSTOMER_PREFIX))
    if pk.startswith(SESSION_PREFIX) and sk.startswith(CHILD_PREFIX):
        return read.text(item, "customer_id")
    is_revocation = pk.startswith(CUSTOMER_PREFIX) and sk.startswith(REVOKED_PREFIX)
    return decode_id(sk.removeprefix(REVOKED_PREFIX)) if is_revocation else None


def touch_all(
    sessions: SessionTable, checkpoint: Checkpoint, *, pace: Pace | None = None, on_progress: OnProgress | None = None
) -> Counter[Touch]:
    """Touch every item of the register, so that the stream shows each once more.

    What could not be written is noted in the checkpoint, and tried again at the end, and first of all in the next run:
    that one touches nothing twice.

    Args:
        sessions: The register.
        checkpoint: Where the run stands, and which items are left.
        pace: Bounds the items a second.
        on_progress: Learns how far it is.

    Returns:
        How many items had each result, in this run; of those left, how many there are.

    Raises:
        ClientError: The service refused a scan.
        BotoCoreError: It could not be reached.
    """
    counts: Counter[Touch] = Counter()
    for part in _to_touch(sessions.store, checkpoint, pace or Pace()):
        results = touch(sessions, part)
        counts.update(result for result in results.values() if result is not Touch.NOT_WRITTEN)
        known = checkpoint.problems()
        is_left = {json.dumps(key): result is Touch.NOT_WRITTEN for key, result in results.items()}
        checkpoint.add_done({name: "left" if left else None for name, left in is_left.items() if left or name in known})
        if on_progress is not None:
            on_progress("items touched", counts.total())
    if left := checkpoint.problems():
        counts[Touch.NOT_WRITTEN] = len(left)
    return counts


def _to_touch(store: ItemStore, checkpoint: Checkpoint, pace: Pace) -> Iterator[Sequence[Key]]:
    """Yield the keys of a table by parts; a part counts as done once the next one is asked for."""
    yield from _left(checkpoint, pace)
    if (position := checkpoint.get("sessions")) == "end":
        return
    for page in scan_pages(store, "PK", "SK", after=position):
        for part in chunks([key_of(item) for item in page.items], pace.batch):
            pace.take(len(part))
            yield part
            checkpoint.set("sessions", key_item(part[-1]))
    checkpoint.set("sessions", "end")
    yield from _left(checkpoint, pace)


def _left(checkpoint: Checkpoint, pace: Pace) -> Iterator[Sequence[Key]]:
    for part in chunks([Key(*json.loads(name)) for name in checkpoint.problems()], pace.batch):
        pace.take(len(part))
        yield part
