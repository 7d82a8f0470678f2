"""What can go wrong, by name, and the seeded decision whether it does."""

from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """Each can be switched off (`--without`), or on alone (`--faults`)."""

    DUPLICATE_DELIVERY = "duplicate-delivery"
    """The same message, with the same id, comes again: at once, or after it was deleted."""
    DUPLICATE_FACT = "duplicate-fact"
    """The publisher tries again: the same fact in a new message, at EventBridge under a new id."""
    REORDER = "reorder"
    """Messages overtake each other by as much as the whole history."""
    LOGOUT_FIRST = "logout-first"
    """A logout comes well before its login."""
    LONG_DELAY = "long-delay"
    """A message comes after its session's lifetime."""
    DEAD_LETTERS = "dead-letters"
    """Few receives before the dead-letter queue; redriven days later, as new messages."""
    ARCHIVE_REPLAY = "archive-replay"
    """All of EventBridge's archive again, with replay-name, in any order."""
    CRASH_BEFORE = "crash-before"
    """The invocation dies before its first write."""
    CRASH_BETWEEN = "crash-between"
    """It dies with some of its writes done."""
    CRASH_AFTER = "crash-after"
    """It dies after its last write, before it answers."""
    RESPONSE_LOST = "response-lost"
    """It succeeds and Lambda does not hear of it."""
    LATE_WRITE = "late-write"
    """A request lands seconds or minutes after the client, or the whole invocation, has timed out."""
    SDK_RETRY = "sdk-retry"
    """A request is carried out, its answer is lost, and the SDK sends it again."""
    REQUEST_LOST = "request-lost"
    """A request never arrives, and times out."""
    RECOMPOSITION = "recomposition"
    """The stream's reader starts again from its checkpoint, with other batches; its last invocation may live on."""
    BISECT = "bisect"
    """A failed stream batch is split; without it the mapping repeats the batch."""
    WHOLE_BATCH_FAILURE = "whole-batch-failure"
    """The mapping hears of a failure of the whole batch where a part failed."""
    THROTTLED_REQUEST = "throttled-request"
    THROTTLED_STATEMENT = "throttled-statement"
    """Of a BatchExecuteStatement, some statements are refused; the SDK does not try them again."""
    UNPROCESSED_KEYS = "unprocessed-keys"
    SEND_FAILURE = "send-failure"
    """SQS refuses a request to send, or some of its entries."""
    COMMAND_LOST = "command-lost"
    """A command that SQS took never comes, as if purged. The next login sends it again, but not a cascade's."""
    COMMAND_LATE = "command-late"
    """A command comes minutes, or days, after it was sent."""
    COMMAND_DUPLICATED = "command-duplicated"
    """A command comes once more, in a message of its own."""
    PARALLEL_PARTITIONS = "parallel-partitions"
    """ParallelizationFactor 10: ten workers on each shard, in order per item only."""
    MANY_WORKERS = "many-workers"
    """Several consumers on one queue, whose messages show again while they are still at work."""
    SHARD_SPLIT = "shard-split"
    TRIM_HORIZON_REPLAY = "trim-horizon-replay"
    """The whole stream again, beside its ordinary reader."""
    STALE_INDEX = "stale-index"
    """The inverted index lags, but not behind the stream: consumers look into the past, the projector does not."""
    INDEX_OUTAGE = "index-outage"
    """The inverted index lags behind the stream, for up to a minute. Outside the promise, so never drawn."""
    TTL = "ttl"
    """DynamoDB deletes what has passed its `ttl`: at once, late, never, or between a batch's read and its write."""
    CLOCK_SKEW = "clock-skew"
    """Publishers' and functions' clocks are up to five minutes wrong."""
    POISON = "poison"
    """Bodies no retry can fix, messages that kill the function, items that break the schema."""
    SHARED_IDS = "shared-ids"
    """A session id under two customers, a child session that two customers claim."""
    OLD_ITEMS = "old-items"
    """Items of the original schema, and items written before an attribute existed."""
    SETTINGS_CHANGED = "settings-changed"
    """Lifetimes are raised and lowered while events are on their way."""
    PROJECTION_DELETED = "projection-deleted"
    """Somebody deletes a projection."""
    SESSION_DELETED = "session-deleted"
    """Somebody deletes a session's item."""
    RESTORE = "restore"
    """An earlier image of an item is put back, with its version."""
    FOREIGN_WRITER = "foreign-writer"
    """Another program sets attributes of its own, and ours to types that we do not know."""
    FOREIGN_TTL = "foreign-ttl"
    """Items of the original schema have a `ttl` of their own writer's, which may end them while they are live."""
    PUBLISHER_TIME = "publisher-time"
    """A login of years ahead comes on the direct path, with an envelope that agrees with it."""
    FLOOD = "flood"
    """Messages of hundreds of logouts for sessions that nobody knows, beside good events."""
    COMMANDS_QUEUE = "commands-queue"
    """Commands have a queue of their own."""
    ERASED = "erased"
    """A customer is erased while events, records and commands about it are on their way, and come again."""
    BACKLOG = "backlog"
    """Many logins come to the events queue just before a command."""
    ROLLED_BACK = "rolled-back"
    """Another release writes for a while: the previous one, or the next one, which is rolled back and out again."""
    PUBLISHED = "published"
    """Life-cycle events are published, from the beginning or since an update of the stack, and expiries on time."""


OPERATIONS = {
    Fault.PROJECTION_DELETED: 0.15,
    Fault.SESSION_DELETED: 0.15,
    Fault.RESTORE: 0.15,
    Fault.FOREIGN_TTL: 0.15,
    Fault.SETTINGS_CHANGED: 0.07,
    Fault.FOREIGN_WRITER: 0.07,
    Fault.PUBLISHER_TIME: 0.07,
    Fault.COMMANDS_QUEUE: 0.3,
    Fault.ROLLED_BACK: 0.07,
    Fault.BACKLOG: 0.03,
    Fault.ERASED: 0.07,
    Fault.FLOOD: 0.015,
    Fault.PUBLISHED: 0.3,  # last, so that the others are drawn as before
}
"""What operators, other programs and hostile publishers do, and in which share of the runs: seldom, so that faults are
also seen without them. A flood takes a hundred times as long to play as what is beside it."""

BY_HAND = frozenset(
    {
        *(Fault.PROJECTION_DELETED, Fault.SESSION_DELETED, Fault.RESTORE, Fault.FOREIGN_TTL),
        *(Fault.SETTINGS_CHANGED, Fault.FOREIGN_WRITER, Fault.ERASED),
    }
)
"""What the previous release did not hold against: it is not rolled back to beside one of these."""

OUTSIDE_THE_PROMISE = frozenset({Fault.INDEX_OUTAGE})
"""Has to be asked for by name. A child session whose login and whose logout without parent both pass through the
projector before the index shows the child stays live: neither side saw the other."""


class Faults:
    """The faults of one run.

    Args:
        source: The run's one source of randomness.
        enabled: Those that may happen.
    """

    def __init__(self, source: Random, enabled: Collection[Fault]) -> None:
        self.enabled = frozenset(enabled)
        self.injected: Counter[Fault] = Counter()
        self.is_quiet = False
        self._source = source
        self._rate = source.choice((0.01, 0.03, 0.08, 0.15))

    def __contains__(self, fault: Fault) -> bool:
        return fault in self.enabled

    def strikes(self, fault: Fault, times_as_often: float = 1.0) -> bool:
        """Decide whether a fault happens here and now; it is counted."""
        if self.is_quiet or fault not in self.enabled or self._source.random() >= self._rate * times_as_often:
            return False
        self.injected[fault] += 1
        return True

    def planned(self, fault: Fault, probability: float) -> bool:
        """Decide whether a fault is part of the history to be played; it is counted."""
        if fault not in self.enabled or self._source.random() >= probability:
            return False
        self.injected[fault] += 1
        return True


HARMLESS = frozenset(
    {
        *(Fault.FLOOD, Fault.BACKLOG, Fault.COMMANDS_QUEUE, Fault.PUBLISHED),
        *(Fault.LOGOUT_FIRST, Fault.REORDER, Fault.LONG_DELAY, Fault.OLD_ITEMS),
    }
)
"""Nothing of these makes a delivery fail: with them alone a good event is taken at once."""


def draw_faults(seed: int, source: Random) -> list[Fault]:
    """Choose a run's faults: none, all, a single one, or any mixture. Mixtures find what all at once would drown.

    Operations are drawn apart, so that a seed without them plays the history that it always played.
    """
    every = [fault for fault in Fault if fault not in OUTSIDE_THE_PROMISE | OPERATIONS.keys()]
    apart = Random(f"operations {seed}")
    operations = [fault for fault, share in OPERATIONS.items() if apart.random() < share]
    return _draw_accidents(source, every) + operations


def _draw_accidents(source: Random, every: list[Fault]) -> list[Fault]:
    style = source.random()
    if style < 0.02:
        return []
    if style < 0.12:
        return every
    if style < 0.22:
        return [source.choice(every)]
    share = source.uniform(0.15, 0.85)
    return [fault for fault in every if source.random() < share]
