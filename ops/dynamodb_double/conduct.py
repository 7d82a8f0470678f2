"""What the service leaves open: when parts of a request happen, how long pages are, what it refuses meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ops.dynamodb_double.sizes import item_size, read_units, write_units
from ops.dynamodb_double.tables import Item, Table

SELECT_PAGE = 10
"""Items of a page of a SELECT with IN; DynamoDB Local gives one page. Source: Developer Guide, "PartiQL operators"."""


class Conduct:
    """A service that does at once what it is asked, and refuses nothing. The simulation has one of its own."""

    def carry_out(self, operation: str, steps: Sequence[Callable[[], Any]], *, writes: bool = False) -> list[Any]:
        """Carry out the parts of a request, each atomic, in any order; give their results in the order given."""
        return [step() for step in steps]

    def select_page(self) -> int:
        """Give the most items of the next page of a SELECT with IN."""
        return SELECT_PAGE

    def query_page(self) -> int | None:
        """Give the most items of the next page of a Query or Scan; None: as many as its bytes allow."""
        return None

    def reads_the_past(self, operation: str) -> None:
        """Note that a table is read without ConsistentRead; here that read is as consistent as any."""

    def leaves_unprocessed(self) -> bool:
        """Decide whether a key of a BatchGetItem is left unprocessed."""
        return False

    def refuses_statement(self) -> str | None:
        """Give the code with which a statement of a batch is refused; None: it is carried out."""
        return None


class Meter:
    """Takes what requests cost. This one forgets it; to size items takes time that a simulation does not have."""

    def begin(self, operation: str, table_name: str) -> None:
        """Note that a request was made."""

    def read(self, items: Sequence[Item], *, consistent: bool) -> None:
        """Note what one read looked at: an item, or all of a page of a query."""

    def wrote(self, table: Table, before: Item | None, after: Item | None) -> None:
        """Note a write, or one refused by its condition (then there is no `after`)."""


class UnitMeter(Meter):
    """Counts requests by operation, and the units that AWS would charge.

    Attributes:
        requests: By operation.
        write_units: Of tables and indexes; an index with all attributes costs a write again, one of keys only
            a new item's.
        read_units: Strongly consistent ones count whole.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin to count anew."""
        self.requests: dict[str, int] = {}
        self.write_units = 0
        self.read_units = 0.0

    def begin(self, operation: str, table_name: str) -> None:
        """Count a request."""
        self.requests[operation] = self.requests.get(operation, 0) + 1

    def read(self, items: Sequence[Item], *, consistent: bool) -> None:
        """Count what one read costs."""
        self.read_units += read_units(sum(map(item_size, items)), consistent=consistent)

    def wrote(self, table: Table, before: Item | None, after: Item | None) -> None:
        """Count what one write costs."""
        is_indexed = table.has_index and after is not None and (before is None or not table.keys_only)
        self.write_units += write_units(before, after) * (2 if is_indexed else 1)
