"""What projections need from the register: read after the projections were, for a batch of customers or for one."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from processors.projections.facts import CustomerFacts
from processors.projections.merge import find_suspects
from processors.projections.rebuild import CustomerRegister
from processors.register.erased_list import ErasedList
from processors.register.reader import Items, RegisterReader
from schemas.errors import MalformedItemError
from schemas.items import Revocation, Session
from schemas.keys import CHILD_PREFIX, Key, revocation_key, session_key
from schemas.projection_items import Projection

logger = logging.getLogger(__name__)

MOST_SESSIONS_AT_BIRTH = 2000
"""Most sessions of a customer that are read when its projection is made: ended ones stay in the table for 15 days."""

_ALL = 1_000_000_000

Projections = Mapping[str, Projection | None]
"""Stored projections by customer id; None where there is none."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was read from the register for a batch.

    Args:
        births: What it holds of the customers without a projection.
        items: The sessions that are read again.
        sessions: Those of them that are there.
    """

    births: Mapping[str, CustomerRegister] = field(default_factory=dict)
    items: Items = field(default_factory=Items)
    sessions: Mapping[Key, Session] = field(default_factory=dict)


def needs_register(projection: Projection | None, facts: CustomerFacts) -> bool:
    """Whether a customer's merge needs anything from the register."""
    return not facts.are_removals_only if projection is None else bool(find_suspects(projection, facts))


def read_for_batch(
    reader: RegisterReader,
    projections: Projections,
    facts: Mapping[str, CustomerFacts],
    read_at: datetime,
    erased: ErasedList,
) -> ReadBack:
    """Read what a batch's merges need.

    Args:
        reader: The register.
        projections: Those that need it.
        facts: What the batch says about each customer.
        read_at: The clock after the projections were read, aware UTC.
        erased: Who was erased: what is erased is read as absent.

    Raises:
        ReadError: The register could not be read.
    """
    born = [customer_id for customer_id, projection in projections.items() if projection is None]
    named = reader.find_session_keys(born, most=MOST_SESSIONS_AT_BIRTH) if born else {}
    wanted: dict[str, set[Key]] = {}
    for customer_id, projection in projections.items():
        if projection is None:
            revocation = revocation_key(customer_id)
            wanted[customer_id] = {*facts[customer_id].session_keys(), *(named[customer_id] or ()), revocation}
        else:
            wanted[customer_id] = set(find_suspects(projection, facts[customer_id]))
    items = _read(reader, set().union(*wanted.values()), erased)
    births = {}
    for customer_id in born:
        is_complete = named[customer_id] is not None and not _counted(items.newer & wanted[customer_id])
        if not is_complete:
            logger.warning(
                "projection made from a part of the sessions: run sessionctl rebuild",
                extra={"customer_id": customer_id},
            )
        births[customer_id] = _register_of(customer_id, items, wanted[customer_id], read_at, is_complete=is_complete)
    return ReadBack(births, items, items.sessions)


def read_for_rebuild(
    reader: RegisterReader, customer_id: str, projection: Projection | None, read_at: datetime, erased: ErasedList
) -> CustomerRegister:
    """Read every session of a customer that the index or its projection names, and its revocation.

    Args:
        reader: The register.
        customer_id: The customer.
        projection: Its stored projection, or None.
        read_at: The clock after the projection was read, aware UTC.
        erased: Who was erased: what is erased is read as absent.

    Raises:
        ReadError: The register could not be read.
        MalformedItemError: A session item breaks the schema: its customer's count could not be exact.
    """
    named = reader.find_session_keys([customer_id], most=_ALL)[customer_id] or ()
    known = () if projection is None else projection.sessions
    keys = {*named, *(session_key(name, customer_id) for name in known), revocation_key(customer_id)}
    items = _read(reader, keys, erased)
    if items.unreadable:
        raise MalformedItemError(f"session items of the customer cannot be read: {len(items.unreadable)}")
    return _register_of(customer_id, items, keys, read_at, is_complete=True)


def _counted(keys: Collection[Key]) -> list[Key]:
    """Return the keys that a customer's count depends on: those of children are not among them."""
    return [key for key in keys if key.sk is not None and not key.sk.startswith(CHILD_PREFIX)]


def _read(reader: RegisterReader, keys: Collection[Key], erased: ErasedList) -> Items:
    items = reader.read_items(keys)
    rest = {key: erased.rest_of(item) for key, item in items.found.items()}
    return replace(items, found={key: item for key, item in rest.items() if item is not None})


def _register_of(
    customer_id: str, items: Items, keys: Collection[Key], read_at: datetime, *, is_complete: bool
) -> CustomerRegister:
    revocation = items.found.get(revocation_key(customer_id))
    found = [items.found[key] for key in keys if key in items.found]
    return CustomerRegister(
        read_at=read_at,
        sessions=[item for item in found if isinstance(item, Session)],
        revocation=revocation if isinstance(revocation, Revocation) else None,
        is_complete=is_complete,
    )
