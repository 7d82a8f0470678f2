"""Which searches a delivery may cost: pure.

A search is for a session that an event does not name in full and that is not where it would be. A flood of logouts of
unknown sessions makes many; a budget per message keeps it from delaying anything but itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SEARCHES_A_MESSAGE = 500
"""Most searches for one message in one delivery, unless it needs more than four times as many."""

_DELIVERIES = 4
"""Deliveries in which a message's searches are all made once; a queue makes at least five."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One delivery of a message; its events share the object.

    Args:
        receive_count: How often the message was received, this delivery included. Source: SQS,
            `ApproximateReceiveCount`.
    """

    receive_count: int = 1


def within_budget(needed: Sequence[int], deliveries: Sequence[Delivery] | None) -> set[int]:
    """Choose the events that are searched for in this delivery.

    Args:
        needed: Positions of the events that need a search, in order.
        deliveries: The delivery that brought each event of the batch; None: there is no budget.

    Returns:
        Positions: of each message as many as its budget allows, beginning where its last delivery ended.
    """
    if deliveries is None:
        return set(needed)
    by_message: dict[Delivery, list[int]] = defaultdict(list)
    for position in needed:
        by_message[deliveries[position]].append(position)
    chosen: set[int] = set()
    for delivery, positions in by_message.items():
        budget = max(SEARCHES_A_MESSAGE, -(-len(positions) // _DELIVERIES))
        start = (delivery.receive_count - 1) * budget % len(positions) if len(positions) > budget else 0
        chosen.update((positions[start:] + positions[:start])[:budget])
    return chosen
