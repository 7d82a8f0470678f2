"""The agenda's table in a run: a reader of it may see what was there a second ago."""

from collections.abc import Callable
from random import Random
from typing import Any

from ops.dynamodb_double.tables import Item, ItemKey, Table
from tests.simulation.dynamodb_client import FaultyConduct
from tests.simulation.faults import Fault, Faults
from tests.simulation.network import Network

_LAG_SECONDS = 1.0


class AgendaTable(Table):
    """The table.

    Args:
        clock: Epoch seconds.
        faults: What goes wrong.
    """

    def __init__(self, clock: Callable[[], float], faults: Faults) -> None:
        super().__init__("agenda", is_indexed=False)
        self._clock = clock
        self._faults = faults
        self._changes: list[tuple[float, ItemKey, Item | None]] = []

    def store(self, key: ItemKey, new: Item | None, now: float, *, is_ttl: bool = False) -> None:
        """Set or delete an item."""
        self._changes.append((now, key, self.items.get(key)))
        super().store(key, new, now, is_ttl=is_ttl)

    def partition(self, partition_key: str) -> list[Item]:
        """Read the items of a partition, by sort key: eventually consistent."""
        present = super().partition(partition_key)
        if not self._faults.strikes(Fault.STALE_INDEX, 3.0):
            return present
        items = {self.key_of(item): item for item in present}
        for at, key, old in reversed(self._changes):
            if at < self._clock() - _LAG_SECONDS:
                break
            if key[0] == partition_key:
                items.pop(key, None)
                items |= {key: old} if old is not None else {}
        return [items[key] for key in sorted(items)]


class AgendaConduct(FaultyConduct):
    """How the service behaves for publisher and sweeper: the agenda alone may be read as it was."""

    def __init__(self, network: Network, source: Random, faults: Faults) -> None:
        super().__init__(network, source, faults)

    def reads_the_past(self, operation: str) -> None:
        """Allow the agenda's Query: sessions are read by key."""
        if operation != "Query":
            super().reads_the_past(operation)


def slot_end_of(item: Item) -> int:
    """First second after an agenda item's slot, epoch seconds."""
    slot: Any = item["SK"]["S"].partition("#")[0]
    return int(slot) + 5
