"""Mend what verifying found: projections are rebuilt from the register, and verified again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ops.rebuilding.projections import Send, rebuild_one
from ops.rebuilding.touching import Touch, touch
from ops.verification.comparing import Kind, Mismatch
from ops.verification.verifying import OnProgress
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable


@dataclass(slots=True)
class Repair:
    """What a repair did.

    Args:
        rebuilt: Customers whose projection was rebuilt.
        touched: Customers of whom a child session was touched: the projector reads its login from the stream.
        failed: What went wrong, by customer.
    """

    rebuilt: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def customers(self) -> set[str]:
        """Everybody whom it concerned."""
        return {*self.rebuilt, *self.touched, *self.failed}


def to_mend(mismatches: Iterable[Mismatch]) -> dict[str, list[Mismatch]]:
    """List what a repair mends, by customer: what is still in flight mends itself."""
    found: dict[str, list[Mismatch]] = {}
    for mismatch in mismatches:
        if mismatch.kind is not Kind.IN_FLIGHT:
            found.setdefault(mismatch.customer_id, []).append(mismatch)
    return found


def repair(
    mismatches: Iterable[Mismatch],
    sessions: SessionTable,
    projections: ProjectionTable,
    send: Send,
    *,
    on_progress: OnProgress = lambda _what, _count: None,
) -> Repair:
    """Mend projections. Repeating it is harmless.

    Args:
        mismatches: What is wrong.
        sessions: The register.
        projections: The projections, made with `sessions`.
        send: Sends the logouts that policies decide.
        on_progress: Learns how far it is.
    """
    done = Repair()
    for number, (customer_id, found) in enumerate(to_mend(mismatches).items(), 1):
        problem = rebuild_one(projections, send, customer_id)
        if problem is not None:
            done.failed[customer_id] = problem
        else:
            done.rebuilt.append(customer_id)
        children = [mismatch.touch for mismatch in found if mismatch.touch is not None]
        if children and Touch.TOUCHED in touch(sessions, children).values():
            done.touched.append(customer_id)
        on_progress("customers mended", number)
    return done
