"""How cost grows with the sessions a customer has: a batch of ten logins more, by a customer with so many live ones."""

from __future__ import annotations

from dataclasses import dataclass

from ops.benchmark.engines import StubEngine
from ops.benchmark.measuring import Comparison, Measurement
from ops.benchmark.pipelines import PROJECTIONS_TABLE, Pipeline
from ops.benchmark.textbook import PROJECTIONS_TABLE as COUNTERS_TABLE
from ops.benchmark.workloads import START, Workload, Workloads, stream_batch
from processors.projections.facts import CustomerFacts, add_record
from processors.projections.merge import Merged, merge
from processors.projections.state import Rules
from schemas.item_mapping import write_item
from schemas.items import Session
from schemas.projection_items import Projection, write_projection
from schemas.stream import read_record
from schemas.times import parse_rfc3339

MORE = 10
_PART = 1000


@dataclass(frozen=True, slots=True)
class Growth:
    """The cost of ten more logins.

    Attributes:
        sessions: Live ones the customer has already.
        comparison: What they cost.
    """

    sessions: int
    comparison: Comparison


def measure_growth(
    engine: StubEngine, pipelines: list[Pipeline], workloads: Workloads, *, counts: list[int], rounds: int
) -> list[Growth]:
    """Measure at several numbers of live sessions, put into the projections table through the pure merge."""
    return [Growth(count, _measure(engine, pipelines, workloads, count, rounds)) for count in counts]


def _measure(
    engine: StubEngine, pipelines: list[Pipeline], workloads: Workloads, count: int, rounds: int
) -> Comparison:
    projection = _projection_of(workloads, count)

    def make(size: int) -> Workload:
        batch = workloads.hot_customer(size).batch
        customer_id = batch[0]["customer_id"]
        engine.stub.load(PROJECTIONS_TABLE, [_with_version(projection, customer_id)])
        counter = {"PK": {"S": f"c#{customer_id}"}, "session_count": {"N": str(count)}}
        engine.stub.load(COUNTERS_TABLE, [counter])
        return Workload(f"{count:,} live sessions", batch=batch)

    return Measurement(engine, pipelines, rounds=rounds).compare(make, MORE)


def _projection_of(workloads: Workloads, count: int) -> Projection:
    """Merge so many logins of one customer, as the projector would."""
    projection: Projection | None = None
    for start in range(0, count, _PART):
        logins = workloads.hot_customer(min(_PART, count - start)).batch
        facts: dict[str, CustomerFacts] = {}
        images = [_image(login["session_id"], login["occurred_at"], login["expires_at"]) for login in logins]
        for record in stream_batch([(None, image) for image in images])["Records"]:
            add_record(facts, read_record(record))
        merged: Merged = merge(projection, facts["hot"], customer_id="hot", reread={}, now=START, rules=Rules())
        projection = merged.projection
    return projection or Projection(customer_id="hot")


def _image(session_id: str, occurred_at: str, expires_at: str) -> dict[str, dict[str, str]]:
    login = parse_rfc3339(occurred_at)
    session = Session(
        session_id=session_id,
        customer_id="hot",
        started_at=login,
        last_login_time=login,
        expires_at=parse_rfc3339(expires_at),
    )
    return write_item(session) | {"version": {"N": "1"}}


def _with_version(projection: Projection, customer_id: str) -> dict[str, dict[str, object]]:
    names = {"PK": {"S": f"c#{customer_id}"}, "customer_id": {"S": customer_id}, "version": {"N": "1"}}
    return {**write_projection(projection), **names}
