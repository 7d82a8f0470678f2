"""What operators, other programs and hostile publishers do to a run, beside the events."""

import json
import os
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ops.dynamodb_double.tables import Item, ItemKey
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError
from tests.simulation.facts import START, Fact
from tests.simulation.faults import BY_HAND, Fault
from tests.simulation.scheduler import NEXT, PRESENT, PREVIOUS
from tests.simulation.stage import COMMANDS_URL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.simulation.simulation import Simulation

_FLOOD_LOGOUTS = (200, 200, 600, 1800)
_BACKLOG_LOGINS = 150
_YEARS_AHEAD = 9 * 365 * 86_400


class Operations:
    """Plans and does them.

    Args:
        simulation: The run.
    """

    def __init__(self, simulation: "Simulation") -> None:
        self._run = simulation
        self._source = simulation.source
        self._images: dict[ItemKey, list[Item]] = {}
        self._count = 0
        self._backlogs = 0
        self._floods = 0

    def plan(self, end: float) -> None:
        """Put what is to happen until a time, epoch seconds, into the heap."""
        plans = (
            (Fault.SETTINGS_CHANGED, 3, self._change_settings),
            (Fault.PROJECTION_DELETED, 2, self._delete_projection),
            (Fault.SESSION_DELETED, 3, self._delete_session),
            (Fault.RESTORE, 3, self._restore),
            (Fault.ERASED, 1, self._erase),
            (Fault.FOREIGN_WRITER, 12, self._write_as_another),
            (Fault.PUBLISHER_TIME, 2, self._publish_ahead),
        )
        run = self._run
        for fault, times, action in plans:
            for _ in range(times):
                if run.faults.planned(fault, 0.6):
                    run.scheduler.at(self._source.uniform(START, end), action)
        self._floods = sum(run.faults.planned(Fault.FLOOD, 0.6) for _ in range(2))
        self._backlogs = sum(run.faults.planned(Fault.BACKLOG, 0.6) for _ in range(2))
        if Fault.COMMANDS_QUEUE in run.faults and run.apart_since is None:
            run.scheduler.at(self._source.uniform(START, end), self._set_commands_apart)
        if Fault.ROLLED_BACK in run.faults:
            self._plan_releases(end)
        for _ in range(4):
            if run.faults.planned(Fault.FOREIGN_TTL, 0.6):  # early: a login makes the item ours
                run.scheduler.at(START + self._source.random() ** 3 * (end - START), self._set_ttl)

    def remember(self, new: Item | None) -> None:
        """Keep an image of a session's item, to be restored later."""
        if new is not None and Fault.RESTORE in self._run.faults:
            self._images.setdefault(self._run.sessions.key_of(new), []).append(new)

    def _change_settings(self) -> None:
        factor = self._source.choice((0.1, 0.5, 3, 30, 300))
        history = self._run.history
        maximum = max(60, min(30 * 86_400, int(history.maximum_seconds * factor)))
        default = max(30, min(maximum, int(history.default_seconds * factor)))
        self._run.note(f"settings: {default} and {maximum} seconds")
        self._run.claims.settings.append((default, maximum))
        os.environ["SESSION_TTL_SECONDS"] = str(default)
        os.environ["SESSION_MAX_LIFETIME_SECONDS"] = str(maximum)

    def _plan_releases(self, end: float) -> None:
        """Let another release write for a while; a later one is the one that stays."""
        is_later = self._run.faults.planned(Fault.ROLLED_BACK, 0.5) or not BY_HAND.isdisjoint(self._run.faults.enabled)
        releases = (NEXT, PRESENT, NEXT) if is_later else (PREVIOUS, PRESENT)
        self._run.faults.injected[Fault.ROLLED_BACK] += not is_later
        for at, release in zip(sorted(self._source.uniform(START, end) for _ in releases), releases, strict=True):
            self._run.scheduler.at(at, self._roll_out, release)
        if not is_later:
            self._run.functions.release = PREVIOUS if self._source.random() < 0.5 else PRESENT

    def _roll_out(self, release: str) -> None:
        self._run.note(f"rolled out: the {release} release")
        self._run.functions.release = release
        if self._run.publishing is not None:
            self._run.publishing.functions.release = release

    def _set_commands_apart(self) -> None:
        """Update the stack: what is already in the events queue stays there."""
        self._run.note("commands have a queue of their own")
        self._run.faults.injected[Fault.COMMANDS_QUEUE] += 1
        self._run.apart_since = self._run.scheduler.now
        os.environ["SESSION_COMMANDS_QUEUE_URL"] = COMMANDS_URL

    def _delete_projection(self) -> None:
        run = self._run
        keys = list(run.projections.items)
        if keys:
            key = self._source.choice(keys)
            run.claims.operated.projection_deleted(key[0].removeprefix("c#"))
            run.projections.delete(key, run.scheduler.now)

    def rebuild(self, customers: Collection[str]) -> None:
        """Make projections anew from the register, as `sessionctl rebuild` does, once no fault is left."""
        run = self._run
        client = cast("DynamoDBClient", run.dynamodb)
        is_batched = run.transport == "statements"
        sessions = SessionTable(client, "sessions", clock=run.moment, batch_statements=is_batched)
        projections = ProjectionTable(
            client, "projections", sessions=sessions, clock=run.moment, batch_statements=is_batched
        )
        for customer in sorted(customers):
            run.note(f"rebuild of {customer}")
            task = run.scheduler.spawn(f"rebuild of {customer}", partial(projections.rebuild, customer), may_fail=True)
            task.release = NEXT  # the tool is never older than what wrote the tables
            run.run_until(partial(getattr, task, "is_done"), "a rebuild ends")
            if isinstance(task.error, MalformedItemError):  # it names the item that has to be mended first
                run.claims.operated.beyond_repair.add(customer)
            elif task.error is not None:
                raise task.error

    def _sessions(self) -> list[ItemKey]:
        """Keys of sessions that anybody would touch by hand."""
        return [key for key, item in self._run.sessions.items.items() if key[0][0] == "s" and "broken" not in item]

    def _delete_session(self) -> None:
        keys = self._sessions()
        if keys:
            key = self._source.choice(keys)
            self._run.claims.operated.session_changed(self._run.sessions.items[key])
            self._run.sessions.delete(key, self._run.scheduler.now)

    def _restore(self) -> None:
        keys = [key for key, images in self._images.items() if key[0][0] == "s" and len(images) > 1]
        if keys and not self._run.erasures.customers:  # who restores what is erased brings it back
            key = self._source.choice(keys)
            image = self._source.choice(self._images[key][:-1])
            self._run.claims.operated.session_changed(image)
            self._run.claims.operated.foreign.pop(key, None)
            self._run.sessions.store(key, image, self._run.scheduler.now)

    def _erase(self) -> None:
        """Erase a customer; never A, of whose sessions one cannot be read where there is poison."""
        run = self._run
        customers = sorted({fact.customer for fact in run.history.facts if fact.customer in ("B", "C")})
        if customers:
            run.erasures.begin(self._source.choice(customers))

    def _write_as_another(self) -> None:
        keys = self._sessions()
        if not keys:
            return
        key = self._source.choice(keys)
        self._count += 1
        name, value = self._source.choice(
            (
                ("nickname", {"S": f"n{self._count}"}),
                ("last seen", {"N": str(self._count)}),
                ("tags", {"L": [{"S": "x"}, {"M": {"n": {"N": str(self._count)}}}]}),
                ("device_id", {"L": []}),
                ("user_agent", {"M": {}}),
            )
        )
        if name not in ("device_id", "user_agent"):  # ours, so a login may set it
            self._run.claims.operated.foreign.setdefault(key, {})[name] = value
        self._set(key, {name: value})

    def _set_ttl(self) -> None:
        """Let the original schema's own writer expire an item that we have never written."""
        originals = [key for key in self._sessions() if "version" not in self._run.sessions.items[key]]
        if originals:
            key = self._source.choice(originals)
            self._run.claims.operated.session_changed(self._run.sessions.items[key])
            at = int(self._run.scheduler.now) + self._source.choice((0, 1, 30))
            self._set(key, {"ttl": {"N": str(at)}})
            self._run.scheduler.at(
                at + self._source.choice((0.5, 60)) * self._source.random(), self._run_out, key, str(at)
            )

    def _run_out(self, key: ItemKey, ttl: str) -> None:
        """Delete an item by TTL, unless somebody has given it another `ttl` since."""
        if self._run.sessions.items.get(key, {}).get("ttl") == {"N": ttl}:
            self._run.sessions.delete(key, self._run.scheduler.now, is_ttl=True)

    def _set(self, key: ItemKey, attributes: Item) -> None:
        run = self._run
        run.sessions.store(key, {**run.sessions.items[key], **attributes}, run.scheduler.now)

    def _publish_ahead(self) -> None:
        """Send a login of years ahead to the function, in an envelope whose time agrees with it."""
        self._count += 1
        at = self._run.moment(self._run.scheduler.now + _YEARS_AHEAD).strftime("%Y-%m-%dT%H:%M:%SZ")
        envelope: dict[str, Any] = {
            "version": "0",
            "id": f"ahead-{self._count}",
            "detail-type": "Login",
            "source": "simulated",
            "time": at,
            "detail": {
                "event_id": f"ahead-{self._count}",
                "event_type": "login",
                "occurred_at": at,
                "customer_id": "A",
                "session_id": self._source.choice(("s0", "ahead")),
            },
        }
        body = json.dumps(envelope)
        self._run.bodies_to_reject.append(body)
        self._run.function_queue.send(body)

    def end(self) -> None:
        """Do nothing more: everything is delivered once more now, and that alone may show."""
        self._backlogs = self._floods = 0

    def before_event(self) -> None:
        """Send some messages of logouts for sessions that nobody knows, all at once, before a good event."""
        if not self._floods or self._source.random() < 0.7:
            return
        self._floods -= 1
        for _ in range(self._source.choice((1, 2, 3))):
            self._count += 1
            names_customer = self._source.random() < 0.7  # with a customer they leave tombstones, without they wait
            logouts = [
                {
                    "event_id": f"flood-{self._count}-{number}",
                    "event_type": "logout",
                    "occurred_at": self._run.moment().strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "session_id": f"flood-{self._count}-{number}",
                    **({"customer_id": "flood"} if names_customer else {}),
                }
                for number in range(self._source.choice(_FLOOD_LOGOUTS))
            ]
            self._run.events_queue.send(json.dumps(logouts), FLOOD)

    def before_command(self) -> None:
        """Send many logins before a command comes, each of a customer of its own, in as many messages."""
        run = self._run
        if not self._backlogs:
            return
        self._backlogs -= 1
        for _ in range(_BACKLOG_LOGINS):
            self._count += 1
            name = f"b{self._count}"
            login = Fact("login", name, int(run.scheduler.now * 1000), name, name)
            run.claims.know(login)
            run.publish(login)


FLOOD = "flood"
"""What the simulation knows of a message that is part of a flood."""
