"""`sessionctl cost`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from ops.costs.traffic import WARM_READ_UNITS, WARM_WRITE_UNITS, BillingMode, IndexProjection, Traffic
from ops.sessionctl.options import AsJson, Form
from ops.sessionctl.rows import Column, show_rows
from ops.sessionctl.screen import answers, show_json


def cost(  # noqa: PLR0913 # options of a command
    *,
    logins_per_day: Annotated[
        float, typer.Option("--logins-per-day", metavar="N", min=1, help="Sessions that begin: first logins.")
    ],
    refreshes: Annotated[
        float, typer.Option("--sessions-refreshed", metavar="N", min=0, help="Further logins of a session.")
    ] = 0.86,
    logged_out: Annotated[
        float,
        typer.Option(
            "--sessions-logged-out", metavar="SHARE", min=0, max=1, help="Sessions that a logout ends, 0 to 1."
        ),
    ] = 1.0,
    hours: Annotated[
        float, typer.Option("--sessions-hours", metavar="N", min=0, help="How long a session lasts that nobody ends.")
    ] = 12.0,
    lists: Annotated[
        float, typer.Option("--sessions-listed", metavar="N", min=0, help="Lists of sessions read, per session begun.")
    ] = 0.0,
    customers: Annotated[
        float | None, typer.Option("--customers", metavar="N", min=1, help="Default: each logs in once a day.")
    ] = None,
    projection: Annotated[
        IndexProjection, typer.Option("--index", help="What the inverse index holds, a parameter of the template.")
    ] = IndexProjection.ALL,
    billing: Annotated[
        BillingMode, typer.Option("--billing", metavar="MODE", help="`BillingMode`: PAY_PER_REQUEST or PROVISIONED.")
    ] = BillingMode.PAY_PER_REQUEST,
    capacity_used: Annotated[
        float,
        typer.Option(
            "--capacity-used", metavar="SHARE", min=0.01, max=1, help="Of provisioned capacity, on the month's mean."
        ),
    ] = 0.5,
    warm_write_units: Annotated[
        float,
        typer.Option("--warm-write-units", metavar="N", min=WARM_WRITE_UNITS, help="`WarmWriteUnits` of the template."),
    ] = WARM_WRITE_UNITS,
    warm_read_units: Annotated[
        float,
        typer.Option("--warm-read-units", metavar="N", min=WARM_READ_UNITS, help="`WarmReadUnits` of the template."),
    ] = WARM_READ_UNITS,
    kms_key: Annotated[bool, typer.Option("--kms-key", help="`KmsKeyArn` is set: the key and its requests.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Life-cycle events to a bus, expiries among them.")
    ] = False,
    archive: Annotated[bool, typer.Option("--archive", help="Life-cycle events to S3.")] = False,
    peak: Annotated[
        float, typer.Option("--peak", metavar="N", min=1, help="Rate of the busiest seconds, of the day's mean.")
    ] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Say what so much traffic costs, and which limit of AWS it meets first.

    By arithmetic from the benchmark's figures and the list prices of us-east-1; it asks nobody, and needs no stack.

    Examples:
      sessionctl cost --logins-per-day 1000000
      sessionctl cost --logins-per-day 50000 --publish --archive --sessions-listed 2 --json
      sessionctl cost --logins-per-day 3000000 --billing PROVISIONED --capacity-used 0.6 --kms-key
    """
    traffic = Traffic(
        sessions_a_day=logins_per_day,
        refreshes=refreshes,
        logged_out=logged_out,
        session_hours=hours,
        customers=customers or logins_per_day,
        lists=lists,
        projection=projection,
        is_publishing=publish,
        is_archiving=archive,
        peak=peak,
        billing=billing,
        capacity_used=capacity_used,
        has_key=kms_key,
        warm_write_units=warm_write_units,
        warm_read_units=warm_read_units,
    )
    if as_json:
        show_json(_document(traffic))
    else:
        _show(traffic)


def _document(traffic: Traffic) -> dict[str, Any]:
    from ops.benchmark import prices  # noqa: PLC0415 (slow to import)
    from ops.costs.bill import lists_to_break_even, sessions_to_break_even  # noqa: PLC0415
    from ops.costs.database import warm_dollars  # noqa: PLC0415
    from ops.costs.limits import limits_of  # noqa: PLC0415
    from ops.costs.tables import bills_of  # noqa: PLC0415

    bills = {
        name: {
            "dollars_a_month": bill.dollars,
            "dollars_a_million_sessions": bill.per_million_sessions(bill.dollars),
            "lines": [asdict(line) for line in bill.lines],
        }
        for name, bill in bills_of(traffic).items()
    }
    limits = [
        {
            "name": limit.name,
            "quota": limit.quota.value,
            "source": limit.quota.source,
            "sessions_per_second": limit.sessions_per_second,
            "sessions_a_day": limit.sessions_a_day(traffic.peak),
            "arithmetic": limit.arithmetic,
            "metric": limit.metric,
            "way_out": limit.way_out,
        }
        for limit in limits_of(traffic)
    ]
    return {
        "traffic": asdict(traffic),
        "prices": {
            "region": prices.REGION,
            "as_of": prices.AS_OF,
            "not_verified": [name for name, price in prices.ALL.items() if price.evidence is prices.Evidence.NONE],
        },
        "bills": bills,
        "limits": limits,
        "lists_a_session_at_which_keys_only_costs_the_same": lists_to_break_even(traffic),
        "sessions_a_day_above_which_provisioned_costs_less": sessions_to_break_even(traffic),
        "warm_throughput_dollars_once": warm_dollars(traffic),
    }


def _show(traffic: Traffic) -> None:
    from ops.benchmark import prices  # noqa: PLC0415 (slow to import)
    from ops.costs.limits import limits_of  # noqa: PLC0415
    from ops.costs.tables import BILL_HEADINGS, LIMIT_HEADINGS, bill_rows, bills_of, conclusions, limit_rows  # noqa: PLC0415

    bill_columns = [
        Column(heading, heading, priority=priority, is_number=priority > 0)
        for heading, priority in zip(BILL_HEADINGS, (0, 4, 1, 2, 3), strict=True)
    ]
    rows = bill_rows(list(bills_of(traffic).values()))
    title = f"Dollars a month, {prices.REGION}, list prices of {prices.AS_OF}, without free tiers"
    show_rows((dict(zip(BILL_HEADINGS, row, strict=True)) for row in rows), bill_columns, Form.TABLE, title=title)
    limit_columns = [Column(heading, heading, priority=place) for place, heading in enumerate(LIMIT_HEADINGS[:4])]
    limits = limit_rows(limits_of(traffic), peak=traffic.peak)
    title = f"Limits, in the order in which they are met; peaks of {traffic.peak:g} times the mean"
    show_rows((dict(zip(LIMIT_HEADINGS, row, strict=True)) for row in limits), limit_columns, Form.TABLE, title=title)
    for line in conclusions(traffic):
        answers().print(line, markup=False, soft_wrap=not answers().is_terminal)
