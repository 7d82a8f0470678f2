"""Lambda handler of a schedule: publishes the expiries of sessions, seconds after they happen and never before."""

from dataclasses import asdict
from functools import partial
from typing import Any

from processors.life_cycle.sweeps import sweep_repeatedly
from processors.runtime import clock, wiring
from processors.runtime.life_cycle import expiry_sweeper
from processors.runtime.telemetry import emit_counts, emit_seconds

_SERVICE = "expiry_sweeper"


class UnfinishedSweepError(Exception):
    """Expiries could not be read or published, and remain on the agenda. The cause is logged."""


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Publish the expiries that are due, every `EXPIRY_INTERVAL_SECONDS` for two minutes.

    Args:
        event: The schedule's event; it may be hours old, and is not looked at.
        context: The Lambda context; its deadline is kept.

    Returns:
        What was done: the fields of `processors.life_cycle.sweeper.Sweep`.

    Raises:
        UnfinishedSweepError: The last sweep could not read or publish everything.
        SettingsError: The environment is incomplete.
    """
    settings = wiring.read_settings("SESSIONS_TABLE", "SESSIONS_BUS_NAME", "EXPIRY_AGENDA_TABLE", context=context)
    total, last = sweep_repeatedly(
        expiry_sweeper(settings, context),
        interval=settings.expiry_interval_seconds,
        clock=clock.utc_now,
        sleep=clock.sleep,
        deadline=wiring.deadline(context),
        on_lag=partial(emit_seconds, _SERVICE, "expiry_lag_seconds"),
    )
    summary = asdict(total)
    emit_counts(_SERVICE, {f"expiries_{name}": count for name, count in summary.items() if name != "lag_seconds"})
    if last.unfinished:
        raise UnfinishedSweepError(f"{last.unfinished} agenda items or partitions remain; the cause is logged")
    return summary
