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
from ops.costs.bill import lists_to_break_even, our_bill, sessions_to_break_even, textbook_bill
from ops.costs.database import SCALING_ALARMS, used_to_break_even, warm_dollars
from ops.costs.limits import (
    COMMANDS_CONCURRENCY,
    CONSUMER_CONCURRENCY,
    MAX_RECEIVE_COUNT,
    VISIBILITY_SECONDS,
    limits_of,
)
from ops.costs.tables import OURS_BY_BUS, OURS_BY_QUEUE, bills_of, conclusions
from ops.costs.traffic import (
    STREAM_READERS,
    WARM_READ_UNITS,
    WARM_WRITE_UNITS,
    BillingMode,
    IndexProjection,
    Traffic,
    Way,
    batch_of,
)
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
    assert document["prices"] == {
        "region": prices.REGION,
        "as_of": prices.AS_OF,
        "not_verified": ["WARM_WRITE_UNITS", "WARM_READ_UNITS"],
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("--logins-per-day", "0"),
        ("--logins-per-day", "many"),
        ("--logins-per-day", "10", "--sessions-logged-out", "1.5"),
        ("--logins-per-day", "10", "--peak", "0.5"),
        ("--logins-per-day", "10", "--index", "SOME"),
        ("--logins-per-day", "10", "--billing", "ON_DEMAND"),
        ("--logins-per-day", "10", "--capacity-used", "0"),
        ("--logins-per-day", "10", "--warm-write-units", "3999"),
        ("--logins-per-day", "10", "--warm-read-units", "11999"),
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


def test_provisioned_capacity_costs_as_much_as_units_by_request_where_as_much_of_it_is_used_as_is_said() -> None:
    used = used_to_break_even()
    by_hour = replace(TRAFFIC, billing=BillingMode.PROVISIONED, capacity_used=used)

    units = dollars_of(TRAFFIC, "write units") + dollars_of(TRAFFIC, "read units")
    capacity = dollars_of(by_hour, "write capacity") + dollars_of(by_hour, "read capacity")

    assert capacity == pytest.approx(units)
    assert dollars_of(replace(by_hour, capacity_used=2 * used), "write capacity") == pytest.approx(
        dollars_of(TRAFFIC, "write units") / 2
    )
    assert sessions_to_break_even(by_hour) is None


def test_provisioned_capacity_costs_less_above_the_load_that_is_said_and_more_below() -> None:
    least = sessions_to_break_even(TRAFFIC)
    assert least is not None

    def saved(sessions: float) -> float:
        load = replace(TRAFFIC, sessions_a_day=sessions, customers=sessions)
        return our_bill(load).dollars - our_bill(replace(load, billing=BillingMode.PROVISIONED)).dollars

    assert saved(least * 0.9) < 0 < saved(least * 1.1)


def test_an_idle_table_that_is_provisioned_is_paid_for() -> None:
    idle = replace(TRAFFIC, sessions_a_day=1, customers=1, billing=BillingMode.PROVISIONED)

    assert dollars_of(idle, "write capacity") == pytest.approx(3 * 720 * prices.WRITE_CAPACITY.dollars)


def test_what_is_made_warm_is_paid_for_once_in_both_tables_and_the_index_and_moves_the_limit() -> None:
    warm = replace(TRAFFIC, warm_write_units=10_000, warm_read_units=20_000)

    once = 3 * (6_000 * prices.WARM_WRITE_UNITS.dollars + 8_000 * prices.WARM_READ_UNITS.dollars)

    assert warm_dollars(warm) == pytest.approx(once)
    assert warm_dollars(TRAFFIC) == 0
    assert our_bill(warm).dollars == our_bill(TRAFFIC).dollars
    name = "write units of a new on-demand table"
    [cold, hot] = [next(at for at in limits_of(traffic) if at.name == name) for traffic in (TRAFFIC, warm)]
    assert hot.sessions_per_second == pytest.approx(2.5 * cold.sessions_per_second)


def test_provisioned_tables_are_never_new() -> None:
    names = {limit.name for limit in limits_of(replace(TRAFFIC, billing=BillingMode.PROVISIONED))}

    assert not {name for name in names if "new on-demand table" in name}


def test_a_price_that_nothing_confirms_is_said_where_it_is_used_and_nowhere_else() -> None:
    plain, warm = ("--logins-per-day", "1000"), ("--logins-per-day", "1000", "--warm-write-units", "5000")

    assert "Not verified" not in run(*plain)
    assert "Not verified: the price of warm throughput" in run(*warm)
    unverified = {name for name, price in prices.ALL.items() if price.evidence is prices.Evidence.NONE}
    assert unverified == {"WARM_WRITE_UNITS", "WARM_READ_UNITS"}
    assert PAGE.count(f"| {prices.Evidence.NONE} |") == len(unverified)


@pytest.mark.parametrize("way", Way)
def test_a_key_is_paid_for_by_the_month_and_its_requests_by_the_five_minutes(way: Way) -> None:
    traffic = replace(TRAFFIC, way=way, has_key=True)

    assert dollars_of(traffic, "key") == prices.KEYS.dollars
    assert dollars_of(traffic, "key, requests") == pytest.approx(
        bill.key_requests(traffic) / 1e6 * prices.KEY_REQUESTS.dollars
    )
    assert bill.key_requests(traffic) == bill.key_requests(replace(traffic, sessions_a_day=1.0))
    assert bill.key_requests(traffic) > bill.key_requests(replace(traffic, is_publishing=False, is_archiving=False))
    assert dollars_of(replace(traffic, has_key=False), "key") == 0
    assert "key, requests" in run("--logins-per-day", "1000", "--kms-key")


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
    concurrency = [int(found) for found in re.findall(r"MaximumConcurrency: (\d+)", TEMPLATE)]
    assert concurrency == [CONSUMER_CONCURRENCY, COMMANDS_CONCURRENCY]
    assert f"VisibilityTimeout: {VISIBILITY_SECONDS}" in TEMPLATE
    assert f"MaxReceiveCount:\n    Type: Number\n    Default: {MAX_RECEIVE_COUNT}\n" in TEMPLATE
    assert f"MemorySize: {bill.MEMORY_GB * 1024:.0f}\n" in TEMPLATE
    assert f"MemorySize: {bill.SWEEPER_MEMORY_GB * 1024:.0f}\n" in TEMPLATE
    assert TEMPLATE.count("Type: AWS::CloudWatch::Alarm") <= bill.ALARMS
    assert 4 * TEMPLATE.count("Type: AWS::ApplicationAutoScaling::ScalingPolicy") == SCALING_ALARMS
    assert re.findall(r"ParallelizationFactor: (\d+)", TEMPLATE) == [str(STREAM_READERS // 4)] * 2
    assert f"  WarmWriteUnits:\n    Type: Number\n    Default: {WARM_WRITE_UNITS:.0f}\n" in TEMPLATE
    assert f"  WarmReadUnits:\n    Type: Number\n    Default: {WARM_READ_UNITS:.0f}\n" in TEMPLATE


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


@pytest.mark.parametrize("columns", [60, 100])
def test_on_a_terminal_no_word_of_a_sentence_is_cut_in_two(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes any output for a terminal
    monkeypatch.setenv("TERM", "xterm")

    shown = CliRunner().invoke(app, ["cost", "--logins-per-day", "1000000", "--publish"]).stdout
    told = re.sub(r"\x1b\[[\d;]*m", "", shown)

    lines = told[told.index("The first limit") :].splitlines()
    assert max(map(len, told.splitlines())) <= columns
    assert " ".join(" ".join(lines).split()) == " ".join(
        conclusions(Traffic(sessions_a_day=1_000_000, customers=1_000_000, is_publishing=True))
    )
