"""What is claimed of life-cycle events: a reader ends equal to the register, and expiries come once and not early."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.dynamodb_double.tables import Item, ItemKey
from processors.register.erased_list import ErasedList
from schemas.items import ACTIVE, Session
from schemas.life_cycle import ENDED, EXPIRED, MEMBERS, detail_of, latest, over_as_of
from schemas.times import format_rfc3339
from tests.simulation.faults import Fault
from tests.simulation.outlets import Detail
from tests.simulation.reading import session_in

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

ReaderKey = tuple[str, str]

_AFTER_SLOT_SECONDS = 2
_MARGIN_SECONDS = 15.0
"""An expiry so near to the moment of judgement may or may not be told."""

_BY_HAND = (Fault.RESTORE, Fault.FOREIGN_WRITER, Fault.FOREIGN_TTL, Fault.ROLLED_BACK)
"""After these an item's version says less than it should: the promise holds once everything was touched."""


@dataclass
class _State:
    """A session's item as it was stored, from one write to the next.

    Args:
        session: The session.
        until: When it was replaced or removed, epoch seconds; None: it is there.
    """

    session: Session
    until: float | None = None


class LifeCycleClaims:
    """Watches what is told, and judges what a reader knows.

    Args:
        run: The run.
        tells_refreshes: Whether the bus gets every refresh.
    """

    def __init__(self, run: "Simulation", *, tells_refreshes: bool) -> None:
        self._run = run
        self._tells_refreshes = tells_refreshes
        self._states: dict[tuple[ItemKey, int], list[_State]] = defaultdict(list)
        self._present: dict[ItemKey, _State] = {}
        self._highest: dict[ItemKey, int] = {}
        self._outside: set[ItemKey] = set()
        """Removed while older than what was told: put back by hand, or of a release that counted versions from 1.

        A touch would have been needed.
        """
        self._archive: list[Detail] = []
        self._expiries: set[str] = set()
        self._contents: dict[str, Detail] = {}

    @property
    def needs_touch(self) -> bool:
        """Whether operators are told to touch everything after what happens in this run."""
        faults = self._run.faults
        is_reborn_by_wrong_clock = Fault.CLOCK_SKEW in faults and Fault.SESSION_DELETED in faults
        return is_reborn_by_wrong_clock or any(fault in faults for fault in _BY_HAND)

    # --- at every step

    def session_changed(self, key: ItemKey, new: Item | None, *, is_ttl: bool) -> None:
        """An item of the sessions table was written."""
        before = self._present.pop(key, None)
        if before is not None:
            before.until = self._run.scheduler.now
            last_version = (before.session.version or 0) + (not is_ttl)  # a removal by hand is told, with the next one
            if new is None and last_version < self._highest.get(key, 0):
                self._outside.add(key)
        session = session_in(new)
        if session is None:
            return
        version = session.version or 0
        if version >= self._highest.get(key, 0):
            self._outside.discard(key)
        if before is not None and before.session.has_login and not session.has_login:
            self._outside.add(key)  # the original schema's, without a login time: ended, it tells nothing
        self._highest[key] = max(version, self._highest.get(key, 0))
        self._present[key] = _State(session)
        self._states[key, version].append(self._present[key])

    def published(self, detail: Detail, began_at: float) -> None:
        """The bus accepted an event, of an invocation that began at a time; 0 where it was replayed from a file."""
        self._check_content(detail)
        self._check_erased(detail, began_at)
        if detail["kind"] != EXPIRED:
            return
        self._expiries.add(detail["id"])
        pk, sk, seconds, _ = detail["id"].rsplit("/", 3)
        if int(seconds) + _AFTER_SLOT_SECONDS > self._run.scheduler.now:
            self._run.claims.fail("no expiry is told before its time", f"{detail['id']}")
        states = self._states[(pk, sk), detail["session"]["version"]]
        if not any(
            state.session.session_state == ACTIVE
            and state.session.expires_at is not None
            and int(state.session.expires_at.timestamp()) == int(seconds)
            and (state.until is None or state.until >= began_at)
            for state in states
        ):
            self._run.claims.fail("nothing is told expired that was ended or extended", f"{detail}")

    def archived(self, detail: Detail) -> None:
        """The archive accepted an event."""
        self._archive.append(detail)
        if detail["kind"] == EXPIRED:
            self._run.claims.fail("the archive holds no expiries", f"{detail['id']}")

    def _check_content(self, detail: Detail) -> None:
        if detail["kind"] == EXPIRED or self.needs_touch or self._run.erasures.customers:
            return
        if self._contents.setdefault(detail["id"], detail) != detail:
            self._run.claims.fail("one id has one content", f"{self._contents[detail['id']]}, and {detail}")

    def _check_erased(self, detail: Detail, began_at: float) -> None:
        session = detail["session"]
        finished_at, erased_at = self._run.erasures.finished.get(session["customer_id"], (None, None))
        if finished_at is None or erased_at is None or began_at <= finished_at:
            return
        shown = session["last_login_time"]
        if shown is not None and shown <= format_rfc3339(erased_at):
            self._run.claims.fail("nothing of the erased is told again", f"{detail}")

    # --- at the end

    def settled(self, known: Mapping[ReaderKey, Detail], due: Collection[ItemKey]) -> None:
        """All is delivered and swept, no fault is left: what a reader knows must be what the register says."""
        now = self._run.moment()
        stored = {}
        for key, state in self._present.items():
            session = state.session
            if session.has_login and not self._is_erased(session) and not self._cannot_be_told(key, session):
                told = detail_of(ENDED, session, occurred_at=now, over=over_as_of(session, now))
                [name] = latest([told])
                if session.session_state != ACTIVE and session.ended_at is None and name in known:
                    told |= {part: known[name][part] for part in ("over_at", "over_reason")}  # nobody knows when
                    self._check_over(known[name])
                stored[name] = told
                self._check_expired(key, session)
        gone = {name: detail for name, detail in known.items() if name not in stored}
        archive = latest(self._archive)
        # a parent that was removed is over to a reader, and its children with it
        for name, expected in latest([*stored.values(), *gone.values()]).items():
            if name in stored:
                self._compare(name, expected, known.get(name), archive.get(name))
        self._check_gone(gone)
        if due:
            self._run.claims.fail("nothing that is due stays on the agenda", f"{sorted(due)}")

    def _compare(self, name: ReaderKey, expected: Detail, on_bus: Detail | None, archived: Detail | None) -> None:
        if on_bus is None or archived is None:
            self._run.claims.fail("a reader knows every session", f"{name}: {on_bus}, {archived}")
            return
        seen, wanted = ((it["over_at"], it["over_reason"]) for it in (on_bus, expected))
        if seen != wanted and not self._is_left_open(expected):
            self._run.claims.fail("a reader ends equal to the register", f"{name}: {seen} of {on_bus}, not {expected}")
        for reader in (on_bus, archived) if self._tells_refreshes else (archived,):
            wrong = [
                member
                for member in MEMBERS
                if reader["session"][member] not in (expected["session"][member], self._since_erasure(member, expected))
            ]
            if wrong:
                self._run.claims.fail(
                    "a reader ends equal to the register", f"{name}: {wrong} of {reader}, not {expected}"
                )

    def _since_erasure(self, member: str, expected: Detail) -> Any:
        """Give what may be told in a member's place: of a session that an erasure left, its start is the erasure."""
        session = expected["session"]
        _, erased_at = self._run.erasures.finished.get(session["customer_id"] or "", (None, None))
        if member != "started_at" or erased_at is None or session["started_at"] is None:
            return session[member]
        return max(session["started_at"], format_rfc3339(erased_at))

    def _check_over(self, detail: Detail) -> None:
        if detail["over_at"] is None:
            self._run.claims.fail("a reader ends equal to the register", f"ended, and live to it: {detail}")

    def _is_left_open(self, expected: Detail) -> bool:
        """Whether a session was ended without saying when, or runs out about now."""
        near = self._run.moment(self._run.scheduler.now - _MARGIN_SECONDS)
        return expected["over_at"] is not None and expected["over_at"] >= format_rfc3339(near)

    def _check_expired(self, key: ItemKey, session: Session) -> None:
        """Hold an expiry that stands to its one event."""
        if session.session_state != ACTIVE or session.expires_at is None:
            return
        seconds = int(session.expires_at.timestamp())
        if seconds + _MARGIN_SECONDS > self._run.scheduler.now:
            return
        if f"{key[0]}/{key[1]}/{seconds}/{EXPIRED}" not in self._expiries:
            self._run.claims.fail("every expiry that stands is told", f"{key} at {seconds}")

    def _check_gone(self, gone: Mapping[ReaderKey, Detail]) -> None:
        """Hold what is not in the register any more to be over; a tombstone without login tells nothing."""
        for name, detail in gone.items():
            pk, sk, _, _ = detail["id"].rsplit("/", 3)
            if detail["over_at"] is None and (pk, sk) not in self._outside and (pk, sk) not in self._present:
                self._run.claims.fail("what is removed is over to a reader", f"{name}: {detail}")

    def _cannot_be_told(self, key: ItemKey, session: Session) -> bool:
        """Whether an item of the original schema, without a login time, was put back over one that had a version.

        A touch leaves it alone, as it would be no session with a login any more, and without version it orders nothing.
        """
        return session.version is None and session.last_login_time is None and self._highest[key] > 0

    def _is_erased(self, session: Session) -> bool:
        _, erased_at = self._run.erasures.finished.get(session.customer_id or "", (None, None))
        return erased_at is not None and ErasedList.of(session.customer_id or "", erased_at).has_session(session)
