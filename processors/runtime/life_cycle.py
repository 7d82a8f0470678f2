"""Assembly of the publisher and the sweeper of life-cycle events, as the settings say."""

from processors.aws.archive_stream import ArchiveStream
from processors.aws.event_bus import EventBus
from processors.life_cycle.agenda_table import AgendaTable
from processors.life_cycle.publisher import Outlets, SessionPublisher
from processors.life_cycle.sweeper import ExpirySweeper
from processors.runtime import clock, wiring
from processors.runtime.settings import Settings

_RESERVE_SECONDS = 10.0
"""Kept back for a request that is under way at the deadline, and for setting aside what was not sent."""


def session_publisher(settings: Settings, context: object) -> SessionPublisher:
    """Make what publishes a batch of stream records."""
    concurrency = wiring.concurrency(settings)
    archive = None
    if settings.archive_stream_name:
        archive = ArchiveStream(
            wiring.client("firehose"), settings.archive_stream_name, concurrency=concurrency, sleep=clock.sleep
        )
    outlets = Outlets(
        bus=_bus(settings) if settings.sessions_bus_name else None,
        archive=archive,
        agenda=_agenda(settings) if settings.expiry_agenda_table else None,
        refreshes_to_bus=settings.publish_refreshed_sessions,
    )
    return SessionPublisher(
        outlets,
        wiring.session_table(settings).erased,
        failed_batches=wiring.failed_batches(settings, context),
        deadline=wiring.deadline(context, reserve=_RESERVE_SECONDS),
        concurrency=3 if concurrency > 1 else 1,  # bus, archive and agenda side by side
    )


def expiry_sweeper(settings: Settings, context: object) -> ExpirySweeper:
    """Make what works on the agenda of expiries."""
    sessions = wiring.session_table(settings)
    return ExpirySweeper(
        _agenda(settings),
        sessions.reader,
        _bus(settings),
        sessions.erased,
        clock=clock.utc_now,
        failed_batches=wiring.failed_batches(settings, context),
        deadline=wiring.deadline(context, reserve=_RESERVE_SECONDS),
    )


def _bus(settings: Settings) -> EventBus:
    return EventBus(
        wiring.client("events"),
        settings.sessions_bus_name,
        concurrency=wiring.concurrency(settings),
        sleep=clock.sleep,
    )


def _agenda(settings: Settings) -> AgendaTable:
    return AgendaTable(
        wiring.client("dynamodb"),
        settings.expiry_agenda_table,
        concurrency=wiring.concurrency(settings),
        sleep=clock.sleep,
    )
