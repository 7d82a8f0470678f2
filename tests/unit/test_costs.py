"""Prices and limits: the page and the command say the same, and both follow from the template and the benchmark."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.benchmark import prices
from ops.costs import bill, figures, page
from ops.costs.bill import lists_to_break_even, our_bill, textbook_bill
from ops.costs.limits import CONSUMER_CONCURRENCY, MAX_RECEIVE_COUNT, VISIBILITY_SECONDS, limits_of
from ops.costs.tables import OURS_BY_BUS, OURS_BY_QUEUE, bills_of
from ops.costs.traffic import IndexProjection, Traffic, Way, batch_of
from ops.dynamodb_double.sizes import item_size, write_units
from ops.sessionctl.app import app
from processors.life_cycle.agenda import pack, write_agenda_item
from schemas.items import Session
from schemas.times import from_epoch_seconds

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")
TRAFFIC = Traffic(sessions_a_day=1_000_000, customers=1_000_000, is_publishing=True, is_archiving=True)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["cost", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def cells_of(line: str) -> list[str]:
    return [cell for cell in (part.strip() for part in line.strip(" |").split("|")) if cell]


def dollars_of(traffic: Traffic, part: str) -> float:
    return sum(line.dollars for line in our_bill(traffic).lines if line.part == part)


def test_the_page_is_up_to_date() -> None:
    assert page.render() == PAGE, "run python -m ops.costs"


def test_the_command_that_the_page_names_prints_the_pages_numbers() -> None:
    words = page.COMMAND.split()

    printed = [re.sub(r" {2,}", "|", line.strip()) for line in run(*words[2:]).splitlines()]

    costs = PAGE[PAGE.index("## What it costs") : PAGE.index("## What a small")]
    limits = PAGE[PAGE.index("## Limits of the whole") : PAGE.index("The same with events over the bus")]
    bill_rows = [cells_of(line) for line in costs.splitlines() if line.startswith("| ")][2:]
    limit_rows = [cells_of(line)[:4] for line in limits.splitlines() if line.startswith("| ")][2:]
    assert len(bill_rows) > 20
    assert len(limit_rows) > 5
    assert [row for row in (*bill_rows, *limit_rows) if "|".join(row) not in printed] == []


def test_the_json_document_has_bills_and_limits_in_order() -> None:
    document = json.loads(run("--logins-per-day", "50000", "--sessions-listed", "2", "--json"))

    assert document["bills"][OURS_BY_QUEUE]["dollars_a_month"] < document["bills"][OURS_BY_BUS]["dollars_a_month"]
    rates = [limit["sessions_per_second"] for limit in document["limits"]]
    assert rates == sorted(rates)
    assert document["prices"] == {"region": prices.REGION, "as_of": prices.AS_OF}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--logins-per-day", "0"),
        ("--logins-per-day", "many"),
        ("--logins-per-day", "10", "--sessions-logged-out", "1.5"),
        ("--logins-per-day", "10", "--peak", "0.5"),
        ("--logins-per-day", "10", "--index", "SOME"),
        (),
    ],
)
def test_bad_numbers_are_refused(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["cost", *arguments])

    assert result.exit_code == 2


def test_tens_to_the_queue_are_the_cheapest_way_in_and_cost_what_the_publishing_guide_says() -> None:
    guide = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    idle = 2 * bill.IDLE_POLLS_A_MONTH / 1e6 * prices.QUEUE_REQUESTS.dollars
    busy = replace(TRAFFIC, sessions_a_day=50_000_000)
    million_events = busy.sessions_a_month * busy.events_a_session / 1e6

    by_queue = (dollars_of(busy, "queue requests") - idle) / million_events
    by_bus = replace(busy, way=Way.BUS)
    over_bus = (dollars_of(by_bus, "bus, in") + dollars_of(by_bus, "queue requests") - idle) / million_events

    assert f"| ${by_queue:.2f} | ${over_bus:.2f} |" in guide
    assert guide.index("```python sqs") < guide.index("```python eventbridge"), "the cheapest is the first to copy"


def test_ours_costs_less_than_the_textbook_behind_the_same_bus() -> None:
    by_bus = replace(TRAFFIC, way=Way.BUS)

    assert our_bill(by_bus).register_dollars < textbook_bill(by_bus).register_dollars


def test_a_bill_grows_with_the_traffic_and_has_each_part_once() -> None:
    small, large = (our_bill(replace(TRAFFIC, sessions_a_day=n, customers=n)) for n in (10_000.0, 10_000_000.0))

    for one in (small, large):
        parts = [line.part for line in one.lines]
        assert len(parts) == len(set(parts))
        assert one.dollars == pytest.approx(sum(line.dollars for line in one.lines))
    assert small.dollars < large.dollars
    assert small.per_million_sessions(small.dollars) > large.per_million_sessions(large.dollars)


def test_the_smaller_index_saves_a_write_unit_of_every_refresh_and_logout() -> None:
    keys_only = replace(TRAFFIC, projection=IndexProjection.KEYS_ONLY)

    saved = dollars_of(TRAFFIC, "write units") - dollars_of(keys_only, "write units")

    units = TRAFFIC.sessions_a_month * (TRAFFIC.refreshes + TRAFFIC.logged_out)
    assert saved == pytest.approx(units / 1e6 * prices.WRITE_UNITS.dollars)


def test_both_indexes_cost_the_same_at_the_break_even() -> None:
    at = replace(TRAFFIC, lists=lists_to_break_even(TRAFFIC))

    bills = [our_bill(replace(at, projection=projection)).dollars for projection in IndexProjection]

    assert bills[0] == pytest.approx(bills[1])


@pytest.mark.parametrize("traffic", [TRAFFIC, replace(TRAFFIC, way=Way.BUS), replace(TRAFFIC, is_publishing=False)])
def test_a_limit_is_met_exactly_where_it_says(traffic: Traffic) -> None:
    limits = limits_of(traffic)

    assert [limit.sessions_per_second for limit in limits] == sorted(limit.sessions_per_second for limit in limits)
    for limit in limits:
        assert limit.a_session * limit.sessions_per_second == pytest.approx(limit.quota.value)
        assert limit.sessions_a_day(1) == pytest.approx(5 * limit.sessions_a_day(5))


def test_the_first_limit_is_said_to_be_met_where_it_is() -> None:
    first = limits_of(TRAFFIC)[0]
    beyond = str(first.sessions_a_day(TRAFFIC.peak) * 1.01)
    below = str(first.sessions_a_day(TRAFFIC.peak) * 0.99)

    assert f"Met at this traffic: {first.name}" in run("--logins-per-day", beyond, "--publish", "--archive")
    assert f"The first limit to be met: {first.name}" in run("--logins-per-day", below, "--publish", "--archive")


@pytest.mark.parametrize(("rate", "batch"), [(0.0, 1), (4, 1), (50, 10), (5_000, 100), (1e9, 100)])
def test_a_batch_is_what_a_reader_gathers_in_a_window(rate: float, batch: float) -> None:
    assert batch_of(rate, most=100, readers=5) == batch


def test_what_is_said_of_the_template_is_so() -> None:
    sizes = [int(found) for found in re.findall(r"BatchSize: (\d+)", TEMPLATE)]

    assert set(bill.BATCH_SIZES.values()) <= set(sizes)
    assert f"MaximumConcurrency: {CONSUMER_CONCURRENCY}" in TEMPLATE
    assert f"VisibilityTimeout: {VISIBILITY_SECONDS}" in TEMPLATE
    assert f"MaxReceiveCount:\n    Type: Number\n    Default: {MAX_RECEIVE_COUNT}\n" in TEMPLATE
    assert f"MemorySize: {bill.MEMORY_GB * 1024:.0f}\n" in TEMPLATE
    assert f"MemorySize: {bill.SWEEPER_MEMORY_GB * 1024:.0f}\n" in TEMPLATE
    assert TEMPLATE.count("Type: AWS::CloudWatch::Alarm") <= bill.ALARMS


def test_the_agendas_units_are_those_of_its_items() -> None:
    for number in (1, 10, 50, 100):
        sessions = [
            Session(session_id=f"5f0c1b7e-8f7a-4c3e-9d55-{n:012d}", customer_id=f"customer-{n:05d}", expires_at=MOMENT)
            for n in range(number)
        ]
        [item] = [write_agenda_item(item) for item in pack(sessions)]

        assert bill.agenda_units(number) == pytest.approx(write_units(None, item) / number)
        said = figures.AGENDA_ITEM_BYTES + number * figures.AGENDA_ENTRY_BYTES
        assert said == pytest.approx(item_size(item), rel=0.1)


MOMENT = from_epoch_seconds(1_795_600_000)


def test_every_price_has_aws_own_page() -> None:
    sources: list[Any] = [price.source for price in prices.ALL.values()]

    assert len(sources) >= 14
    assert all(source.startswith("https://aws.amazon.com/") for source in sources)
    assert set(bills_of(TRAFFIC)) == {"queue, tens", "bus", "textbook, bus"}
