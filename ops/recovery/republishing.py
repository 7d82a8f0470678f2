"""Rejected events that have become valid, published again; the others written down for their publishers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.recovery.queue_messages import QueueMessage
from ops.recovery.rejected import Rejected, read_rejected
from processors.aws.message_queue import MessageQueue

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Republished:
    """What became of rejected events.

    Attributes:
        published: How many were published again.
        refused: How many SQS refused, by the error's code; they are still in the queue.
        requests: What to ask of the publishers, an entry an event.
        passed_over: How many the filters left out.
    """

    published: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    requests: list["Mapping[str, Any]"] = field(default_factory=list)
    passed_over: int = 0


def republisher(
    queue: MessageQueue,
    judge: Callable[[Rejected], str | None],
    *,
    is_meant: Callable[[Rejected], bool],
    result: Republished,
    write_down: Callable[[Sequence["Mapping[str, Any]"]], bool],
) -> Callable[[Sequence[QueueMessage]], list[str]]:
    """Make what acts on messages of the rejected-events queue.

    Args:
        queue: The session-events queue.
        judge: Says why an event cannot be published again; None where it can.
        is_meant: Whether an event is meant at all.
        result: Where to count.
        write_down: Keeps requests to publishers; returns whether they are kept for good, so that their messages may go.

    Returns:
        A function that returns the ids of the messages that are done: published and acknowledged, or written down.
    """

    def act(messages: Sequence[QueueMessage]) -> list[str]:
        rejected = [read_rejected(message) for message in messages]
        meant = [each for each in rejected if is_meant(each)]
        result.passed_over += len(rejected) - len(meant)
        reasons = [(each, judge(each)) for each in meant]
        valid = [each for each, why in reasons if why is None]
        failures = queue.send([_ascii(each.body) for each in valid])
        for code in failures.values():
            result.refused[code] = result.refused.get(code, 0) + 1
        done = [each for position, each in enumerate(valid) if position not in failures]
        result.published += len(done)
        others = [(each, why) for each, why in reasons if why is not None]
        requests = [each.request(why) for each, why in others]
        result.requests += requests
        if requests and write_down(requests):
            done += [each for each, _ in others]
        return _ids(done)

    return act


def _ascii(text: str) -> str:
    """Write a JSON text in ASCII, so that its characters are its bytes."""
    return "".join(character if character.isascii() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return "".join(
        f"\\u{int.from_bytes(unit, 'big'):04x}"
        for unit in _units(character.encode("utf-16-be", errors="surrogatepass"))
    )


def _units(text: bytes) -> Iterable[bytes]:
    return (text[start : start + 2] for start in range(0, len(text), 2))


def _ids(rejected: Iterable[Rejected]) -> list[str]:
    return [each.message.message_id for each in rejected]
