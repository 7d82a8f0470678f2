"""The double behind the simulated network: its requests take time, overtake each other, and go wrong."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from ops.dynamodb_double.client import Client
from ops.dynamodb_double.conduct import Conduct
from ops.dynamodb_double.errors import NotSimulatedError
from ops.dynamodb_double.service import Service
from ops.dynamodb_double.tables import Table
from tests.simulation.faults import Fault, Faults
from tests.simulation.network import Network


class FaultyConduct(Conduct):
    """How the service behaves in a run.

    Args:
        network: The way to it.
        source: The run's one source of randomness.
        faults: What goes wrong.
    """

    def __init__(self, network: Network, source: Random, faults: Faults) -> None:
        self._network = network
        self._source = source
        self._faults = faults

    def carry_out(self, operation: str, steps: Sequence[Callable[[], Any]], *, writes: bool = False) -> list[Any]:
        return self._network.request(operation, steps, writes=writes)

    def select_page(self) -> int:
        return self._source.choice((1, 2, 10))

    def query_page(self) -> int | None:
        return self._source.choice((1, 2, 50))

    def reads_the_past(self, operation: str) -> None:
        raise NotSimulatedError(f"{operation} of a table without ConsistentRead")

    def leaves_unprocessed(self) -> bool:
        return self._faults.strikes(Fault.UNPROCESSED_KEYS)

    def refuses_statement(self) -> str | None:
        if self._faults.strikes(Fault.THROTTLED_STATEMENT):
            return self._source.choice(("ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError"))
        return None


def make_client(tables: list[Table], conduct: Conduct, clock: Callable[[], float]) -> Client:
    """Make a client over tables; a handler that asks for what the double does not know violates a claim."""
    by_name = {table.name: table for table in tables}
    return Client(Service(by_name.__getitem__, clock=clock, conduct=conduct, checks_sizes=False))
