"""What is left of the archive's lines under an erasure."""

import base64
import json
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ops.erasure.archive_lines import detail_of, lines_in, rest_of
from processors.aws.event_bus import line_of
from schemas.items import CLOSING, Session
from schemas.life_cycle import ENDED, STARTED, Over, with_ids_only
from schemas.life_cycle import detail_of as detail
from tests.conftest import at

LOGIN_AT = at(0)
ERASED_AT = at(10)


def event(customer_id: str = "one", *, login_at: datetime = LOGIN_AT, **fields: Any) -> dict[str, Any]:
    session = Session(session_id="s", customer_id=customer_id, last_login_time=login_at, version=7, **fields)
    return detail(STARTED, session, occurred_at=at(0), over=Over())


def lines(*details: dict[str, Any]) -> bytes:
    return "".join(line_of(each) + "\n" for each in details).encode()


def test_what_occurred_up_to_the_erasure_goes_and_everybody_elses_lines_stay_byte_for_byte() -> None:
    theirs, broken = lines(event("two")), b'{"customer_id": "one", "session": broken\n'

    rest = rest_of(theirs + lines(event()) + broken + lines(event(login_at=at(10))), "one", ERASED_AT)

    assert (b"".join(rest.lines), rest.removed, rest.shortened) == (theirs + broken, 2, 0)


def test_an_end_of_an_erased_session_goes_whenever_it_came_and_one_with_ids_alone_too() -> None:
    ended = Session(
        session_id="s", customer_id="one", last_login_time=at(0), session_state=CLOSING, ended_at=at(20), version=8
    )
    told = detail(ENDED, ended, occurred_at=at(20), over=Over(at(20), "user"))

    rest = rest_of(lines(told, with_ids_only(told)), "one", ERASED_AT)

    assert (rest.lines, rest.removed) == ([], 2)


def test_a_login_after_the_erasure_stays_and_starts_no_earlier_than_it() -> None:
    new = event(login_at=at(20), started_at=at(20))
    going_on = event(login_at=at(20), started_at=at(0))

    rest = rest_of(lines(new, going_on), "one", ERASED_AT)

    first, second = map(json.loads, rest.lines)
    assert (first, rest.removed, rest.shortened) == (new, 0, 1)
    assert second["session"] == going_on["session"] | {"started_at": "2026-03-01T12:10:00.000Z"}


def test_a_record_that_firehose_could_not_deliver_is_searched_as_well() -> None:
    def record(data: bytes) -> bytes:
        return json.dumps({"attemptsMade": 4, "rawData": base64.b64encode(data).decode()}).encode() + b"\n"

    theirs = record(lines(event("two")))
    data = theirs + record(lines(event("two"), event("one"))) + record(lines(event("one")))

    rest = rest_of(data, "one", ERASED_AT)

    assert rest.removed == 2
    assert rest.lines[0] == theirs
    [kept] = list(lines_in(rest.lines[1]))
    assert json.loads(kept) == event("two")
    assert len(rest.lines) == 2
    assert sum(detail_of(line, "one") is not None for line in lines_in(data)) == 2


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_stay_as_they_are(data: bytes) -> None:
    assert b"".join(rest_of(data, "one", ERASED_AT).lines) == data
