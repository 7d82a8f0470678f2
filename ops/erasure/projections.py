"""The projection of an erased customer, made anew from what goes on."""

from collections.abc import Callable, Mapping
from datetime import datetime

from processors.aws.conditional_writes import Item
from processors.aws.item_store import Decision
from processors.projection_table import NotWrittenError, ProjectionTable, read_if_possible
from processors.projections.facts import CustomerFacts
from processors.projections.rebuild import rebuild
from processors.projections.register_reads import read_for_rebuild
from processors.register.erased_list import ErasedList
from processors.session_table import SessionTable
from schemas.keys import Key
from schemas.projection_items import Projection, projection_key, write_projection


def make_projection_anew(
    projections: ProjectionTable,
    sessions: SessionTable,
    customer_id: str,
    erased: ErasedList,
    clock: Callable[[], datetime],
) -> Projection | None:
    """Make a customer's projection from the register, without what is erased.

    Of the stored one a last login after the erasure alone is carried over: it may be a child session's, which the index
    does not name.

    Args:
        projections: Where it is stored.
        sessions: The register.
        customer_id: The customer.
        erased: A list that names the customer.
        clock: Aware UTC.

    Returns:
        What is stored now; None where nothing is left to store: the item is deleted.

    Raises:
        ReadError: A table could not be read.
        MalformedItemError: A session item breaks the schema, or an item is of a later release.
        NotWrittenError: Races were lost, or the table was throttled, again and again.
    """

    def decide(stored: Mapping[Key, Item | None]) -> dict[Key, Decision[Projection | None]]:
        [(key, item)] = stored.items()
        known = read_if_possible(item)
        read_at = clock()  # after the projection was read, and before the register is
        register = read_for_rebuild(sessions.reader, customer_id, known, read_at, erased)
        made = rebuild(
            Projection(customer_id=customer_id) if known is None else _carried_over(known, erased),
            register,
            CustomerFacts(),
            customer_id=customer_id,
            now=read_at,
            rules=projections.rules,
            with_policies=False,
        ).projection
        if made.last_login_time is None and made.revocation is None and not made.sessions:
            return {key: Decision(None, None, is_deletion=True)}
        return {key: Decision(write_projection(made), made)}

    key = projection_key(customer_id)
    settled = projections.store.converge([key], decide)
    if key not in settled:
        raise NotWrittenError("the customer's projection")
    return settled[key]


def _carried_over(known: Projection, erased: ErasedList) -> Projection:
    rest = erased.rest_of_projection(known)
    return Projection(
        customer_id=known.customer_id,
        last_login_time=rest.last_login_time,
        last_login_session_id=rest.last_login_session_id,
        end_watermark=known.end_watermark,
    )
