"""Mapping files: each sample is recognised by its own and no other; what is wrong with a file is said with its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from providers.envelopes import IgnoredEvent, Providers, RejectedEvent, read_body, read_events
from providers.expressions import Expression
from providers.mapping_files import MappingError, parse_mapping
from providers.provider_mappings import DIRECTORY, ProviderMapping, ProviderMappings, bundled_mappings, load_mappings
from schemas.errors import RejectedEventError
from schemas.events import LoginEvent, LogoutAllEvent, LogoutEvent, to_json
from tests.provider_samples import ProviderSample, provider_samples

SAMPLES = provider_samples()
CANONICAL = [
    json.loads(path.read_text())
    for path in (Path(__file__).parents[1] / "events").glob("*.json")
    if path.name in ("login.json", "logout.json", "logout-all.json", "child-login.json")
]

MAPPING = """\
provider = "example"
type = "kind"

[[recognise]]
has = ["kind", "who"]

[fields]
event_id = "id"
occurred_at = ["at", "sent"]
customer_id = "who"
session_id = "session"

[[events]]
is = "login"
types = ["in"]
when = "result == 'ok'"
client.ip = "from"
client.user_agent = "agent"

[[events]]
is = "logout"
types = ["out"]
"""
EVENT = {"kind": "in", "result": "ok", "id": "e1", "at": "2026-03-01T10:00:00Z", "who": "c1", "session": "s1"}


def providers(*texts: str) -> Providers:
    mappings = ProviderMappings(ProviderMapping(parse_mapping(text, name="example.toml")) for text in texts)
    return Providers(lambda: mappings)


EXAMPLE = providers(MAPPING)


def read(event: object, **changes: object) -> Any:
    content = event | changes if isinstance(event, dict) else event
    return read_body(json.dumps(content), sent_at=None, providers=EXAMPLE)


def reason_for(**changes: object) -> str:
    with pytest.raises(RejectedEventError) as caught:
        read(EVENT, **changes)
    return caught.value.reason


def objects_in(content: Any) -> list[tuple[dict[str, Any], str | None]]:
    """Every object in a sample, with the source of an EventBridge event around it: more than are ever asked."""
    found: list[tuple[dict[str, Any], str | None]] = []
    if isinstance(content, dict):
        found.append((content, None))
        if isinstance(content.get("detail"), dict):
            found.append((content["detail"], content.get("source")))
    members = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    for member in members:
        found += objects_in(member)
    return found


def test_every_mapping_has_samples_and_one_of_them_is_applied() -> None:
    outcomes: dict[str, set[str]] = {}
    for sample in SAMPLES:
        outcomes.setdefault(sample.provider, set()).update(expected["outcome"] for expected in sample.expected)

    assert outcomes.keys() == {mapping.provider for mapping in bundled_mappings().mappings}
    assert [provider for provider, seen in outcomes.items() if "applied" not in seen] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.provider}-{sample.name}")
def test_no_two_mappings_recognise_an_event_of_a_sample(sample: ProviderSample) -> None:
    recognised = [
        {mapping.provider for mapping in bundled_mappings().recognise(event, source)}
        for event, source in objects_in(sample.content)
    ]

    assert all(names <= {sample.provider} for names in recognised)


@pytest.mark.parametrize("event", CANONICAL, ids=lambda event: event["event_type"])
def test_no_mapping_recognises_a_canonical_event(event: dict[str, Any]) -> None:
    assert bundled_mappings().recognise(event) == []


LOOK_ALIKES: list[tuple[dict[str, Any], str]] = [
    ({"object": "event", "event": "session.created", "data": {}}, "workos"),
    ({"object": "event", "type": "session.created", "data": {}, "instance_id": "i"}, "clerk"),
    ({"event": {"type": "user.login.success", "createInstant": 1}}, "fusionauth"),
    ({"event": {"type": "user.login", "workspace_id": "w"}}, "notion"),
    ({"event": {"type": "LOGIN", "realmId": "r"}, "username": "u"}, "keycloak"),
    ({"event": "LOGIN", "eventType": "keycloak.event", "realmId": "r"}, "keycloak"),
    ({"event": "user.login", "uid": "u", "code": "T1"}, "teleport"),
    ({"event_id": "e", "event_type": "AUTH_AUTH_CODE_ISSUED", "session_id": "s"}, "govuk_onelogin"),
    ({"eventType": "user.session.start", "published": "x", "actor": {}}, "okta"),
    ({"eventType": "AwsConsoleSignIn", "eventSource": "signin.amazonaws.com", "eventID": "x"}, "aws_signin"),
    ({"eventType": "AWSSERVICEEVENT", "eventSource": "signin.amazonaws.com"}, "aws_identity_center"),
    ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "oidc_logout"),
    ({"events": {"https://schemas.openid.net/secevent/caep/event-type/x": {}}}, "ssf"),
    ({"kind": "admin#reports#activity", "events": []}, "google_workspace"),
    ({"event": "user.signed_in", "event_ts": 1, "payload": {"object": {}}}, "zoom"),
    ({"payload": {"realmId": "r", "type": "LOGIN"}}, "keycloak"),
    ({"event": "PostSignIn", "hookId": "h", "createdAt": "x"}, "logto"),
    ({"event_id": "e", "event_timestamp": "x", "type": "user.authenticated", "data": {}}, "kinde"),
    ({"event_type": "oidc_session.added", "aggregateID": "a", "aggregateType": "t", "instanceID": "i"}, "zitadel"),
    ({"iss": "https://appleid.apple.com", "events": "{}"}, "apple"),
    ({"iss": "i", "events": {"https://schemas.identity.wso2.org/events/login/event-type/loginSuccess": {}}}, "wso2"),
    ({"logger": "authentik.events.models", "action": "login", "user": {}, "event": "Created Event"}, "authentik"),
    ({"message": 'type="LOGIN"', "loggerName": "org.keycloak.events"}, "keycloak"),
]


@pytest.mark.parametrize(("event", "provider"), LOOK_ALIKES, ids=range(len(LOOK_ALIKES)))
def test_look_alikes_are_told_apart(event: dict[str, Any], provider: str) -> None:
    assert [mapping.provider for mapping in bundled_mappings().recognise(event)] == [provider]


def test_an_event_that_two_mappings_recognise_is_rejected_with_both_names() -> None:
    twice = providers(MAPPING, MAPPING.replace('"example"', '"other"'))

    with pytest.raises(RejectedEventError, match="the mappings of example and other both recognise this event"):
        read_body(json.dumps(EVENT), sent_at=None, providers=twice)


def test_the_outcome_of_a_type_is_decided_before_anything_is_missed() -> None:
    [reading] = read_events(
        json.dumps({"kind": "in", "result": "failed", "who": None}), sent_at=None, providers=EXAMPLE
    )

    assert reading == IgnoredEvent("example", "in")


@pytest.mark.parametrize("kind", ["In", "in ", "refresh", "", None, 5, {}, ["in"], True])
def test_types_match_exactly_and_others_are_ignored(kind: object) -> None:
    assert read(EVENT, kind=kind) is None


@pytest.mark.parametrize("absent", [None, "", "***", "HIDDEN_DUE_TO_SECURITY_REASONS"])
def test_a_login_without_session_gets_one_of_its_own_and_a_logout_without_is_one_of_everything(absent: object) -> None:
    login, logout = read(EVENT, session=absent), read(EVENT, session=absent, kind="out")

    assert isinstance(login, LoginEvent)
    assert login.session_id == "example:e1"
    assert isinstance(logout, LogoutAllEvent)


def test_a_logout_without_customer_names_its_session_only_and_one_with_neither_is_rejected() -> None:
    logout = read(EVENT, kind="out", who=None)

    assert isinstance(logout, LogoutEvent)
    assert logout.customer_id is None
    assert (
        reason_for(kind="out", who=None, session=None)
        == "example out: customer_id is missing: who; and so is session_id: session"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"who": ""}, "example in: customer_id is missing: who"),
        ({"who": []}, "example in: customer_id is neither a text nor a whole number: who"),
        ({"at": None}, "example in: occurred_at is missing: at || sent"),
        ({"at": "soon"}, "example in: occurred_at is neither a date and time nor a number since 1970: at || sent"),
        ({"who": "c" * 257}, "example in: customer_id: "),
    ],
)
def test_a_rejection_names_provider_type_and_path(changes: dict[str, object], reason: str) -> None:
    assert reason_for(**changes).startswith(reason)


def test_the_second_path_counts_where_the_first_is_masked_and_an_unreadable_first_one_is_not_passed_over() -> None:
    assert read(EVENT, at="***", sent=1772360430).occurred_at == read(EVENT, at="2026-03-01 10:20:30").occurred_at
    assert "occurred_at" in reason_for(at="soon", sent=1772360430)


def envelope(detail: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {
        "id": "bus-1",
        "source": "x",
        "detail-type": "y",
        "time": "2026-03-01T11:00:00Z",
        "detail": detail,
    } | changes


def test_the_envelope_stands_in_for_id_and_time_only_where_the_event_has_none() -> None:
    own = read(envelope(EVENT))
    bare = read(envelope({name: EVENT[name] for name in ("kind", "result", "who")}))

    assert (own.event_id, own.occurred_at.hour) == ("e1", 10)
    assert (bare.event_id, bare.occurred_at.hour, bare.session_id) == ("bus-1", 11, "example:bus-1")


@pytest.mark.parametrize("kind", ["in", "out"])
@pytest.mark.parametrize(
    ("elsewhere", "name"),
    [
        ({"session_x": "s1"}, "session_x"),
        ({"Session": "s1"}, "Session"),
        ({"oldSession": "s1"}, "oldSession"),
        ({"more": [{"session": "s1"}]}, "session"),
    ],
)
def test_a_session_that_stands_where_it_is_not_read_is_not_absent(kind: str, elsewhere: Any, name: str) -> None:
    reason = reason_for(kind=kind, session=None, **elsewhere)

    assert reason == f"example {kind}: session_id is missing, and {name} looks like it: session"


@pytest.mark.parametrize("elsewhere", [{"sessions": "s1"}, {"session_x": None}, {"obsession": "s1"}, {"a/session": 1}])
def test_what_is_not_named_like_the_session_or_holds_nothing_is_not_one(elsewhere: Any) -> None:
    assert isinstance(read(EVENT, kind="out", session=None, **elsewhere), LogoutAllEvent)


def test_no_second_customer_stands_in_for_a_first_one_that_is_misplaced() -> None:
    two = providers(MAPPING.replace('customer_id = "who"', 'customer_id = ["owner", "who"]'))

    [misplaced] = read_events(json.dumps(EVENT | {"ownerX": "c0"}), sent_at=None, providers=two)
    [absent] = read_events(json.dumps(EVENT), sent_at=None, providers=two)

    assert isinstance(misplaced, RejectedEvent)
    assert "customer_id is missing, and ownerX looks like it" in misplaced.error.reason
    assert isinstance(absent, LoginEvent)


@pytest.mark.parametrize("session", [False, True, {"session": "s1"}, ["s1"], {}, 1.5])
def test_a_logout_whose_session_has_a_wrong_type_is_rejected_and_ends_nothing(session: object) -> None:
    assert reason_for(kind="out", session=session).startswith("example out: session_id is neither a text nor")


def test_a_first_path_that_is_blocked_is_not_passed_over_for_the_second() -> None:
    nested = providers(MAPPING.replace('customer_id = "who"', 'customer_id = ["user.id", "who"]'))

    [blocked] = read_events(json.dumps(EVENT | {"user": "somebody"}), sent_at=None, providers=nested)
    [absent] = read_events(json.dumps(EVENT | {"user": None}), sent_at=None, providers=nested)

    assert isinstance(blocked, RejectedEvent)
    assert "customer_id cannot be read" in blocked.error.reason
    assert isinstance(absent, LoginEvent)


def okta_end(**changes: object) -> Any:
    event: dict[str, Any] = {
        "eventType": "user.session.end",
        "uuid": "o1",
        "published": "2026-03-01T10:00:00Z",
        "outcome": {"result": "SUCCESS"},
        "actor": {"id": "admin", "type": "User"},
        "authenticationContext": {"externalSessionId": "admins"},
        "debugContext": {"debugData": {"endedSessionId": "ended"}},
        "target": [{"id": "ada", "type": "User"}],
    }
    [result] = read_events(json.dumps(event | changes), sent_at=None)
    return result


UNREADABLE_TARGETS: list[object] = [
    "odd",
    5,
    True,
    {"id": "ada"},
    [{}],
    ["ada"],
    [{"id": "ada"}],
    [{"id": None, "type": "User"}],
]


@pytest.mark.parametrize("target", UNREADABLE_TARGETS, ids=str)
def test_an_end_in_okta_whose_target_cannot_be_read_never_ends_the_administrators_session(target: object) -> None:
    named, unnamed = okta_end(target=target), okta_end(target=target, debugContext=None)

    assert isinstance(named, LogoutEvent)
    assert (named.customer_id, named.session_id) == (None, "ended")
    assert isinstance(unnamed, RejectedEvent)


def test_the_detail_type_is_the_type_where_the_mapping_says_so() -> None:
    named = providers(MAPPING.replace('type = "kind"', 'type = "kind"\ndetail_type = true'))
    event = EVENT | {"kind": "refresh"}

    [login] = read_events(json.dumps(envelope(event, **{"detail-type": "in"})), sent_at=None, providers=named)
    [bare] = read_events(json.dumps(event), sent_at=None, providers=named)
    [wrong] = read_events(
        json.dumps(envelope(event | {"who": ""}, **{"detail-type": "in"})), sent_at=None, providers=named
    )

    assert isinstance(login, LoginEvent)
    assert bare == IgnoredEvent("example", "refresh")
    assert isinstance(wrong, RejectedEvent)
    assert wrong.error.reason.startswith("example in: ")


def test_the_events_of_a_page_get_what_the_page_carries_over_and_have_ids_of_their_own() -> None:
    page = '[[page]]\nhas = ["shared", "list"]\nmembers = "list"\ncarry = "{kind: shared, at: at, result: \'ok\'}"\n'
    pages = providers(MAPPING.replace("[fields]", page + "\n[fields]"))
    content = {"shared": "in", "at": EVENT["at"], "list": [{"who": "a"}, {"who": "b"}, "odd"]}

    *logins, odd = read_events(json.dumps(content), sent_at=None, providers=pages)

    assert [login.customer_id for login in logins if isinstance(login, LoginEvent)] == ["a", "b"]
    assert len({login.event_id for login in logins if isinstance(login, LoginEvent)}) == 2
    assert isinstance(odd, RejectedEvent)


def test_several_events_in_one_envelope_do_not_share_its_id() -> None:
    events = [{name: EVENT[name] for name in ("kind", "result")} | {"who": who} for who in ("a", "b")]

    readings = read_events(json.dumps(envelope({"records": events})), sent_at=None, providers=EXAMPLE)

    ids = {reading.event_id for reading in readings if isinstance(reading, LoginEvent)}
    assert len(ids) == 2
    assert "bus-1" not in ids


@given(st.dictionaries(st.sampled_from(["at", "who", "session"]), st.sampled_from(["2026-03-01T10:00:00Z", "a", "b"])))
def test_a_derived_event_id_is_the_same_for_a_copy_and_another_for_another_fact(changes: dict[str, str]) -> None:
    base = {name: value for name, value in EVENT.items() if name != "id"}
    try:
        other = read(base | changes)
    except RejectedEventError:
        return  # "a" is no time

    assert (other.event_id == read(base).event_id) == (base | changes == base)
    assert other.event_id == read(base | changes).event_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = [event for sample in SAMPLES for event, _ in objects_in(sample.content)]


def changed(content: Any, draw: Any) -> Any:
    """The same with one value somewhere in it replaced or removed."""
    if not isinstance(content, dict) or not content:
        return draw(JSON)
    name = draw(st.sampled_from(sorted(content)))
    if draw(st.booleans()):
        return {key: value for key, value in content.items() if key != name}
    return content | {name: changed(content[name], draw)}


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_wrong_in_an_event_every_reading_is_an_event_or_ignored_or_refused(data: st.DataObject) -> None:
    content = changed(changed(data.draw(st.sampled_from(OBJECTS)), data.draw), data.draw)

    readings = read_events(json.dumps(content), sent_at=None)

    assert readings
    for reading in readings:
        if isinstance(reading, RejectedEvent):
            assert reading.error.reason.isprintable()
        elif not isinstance(reading, IgnoredEvent):
            assert "HIDDEN_DUE_TO_SECURITY_REASONS" not in json.dumps(to_json(reading))


def test_two_files_of_one_provider_in_a_directory_are_refused_and_a_later_directory_replaces(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MAPPING.replace('"example"', '"okta"'))

    replaced = load_mappings(DIRECTORY, tmp_path)

    assert len(replaced.mappings) == len(bundled_mappings().mappings)
    assert [mapping.provider for mapping in replaced.recognise(EVENT)] == ["okta"]
    (tmp_path / "b.toml").write_text(MAPPING.replace('"example"', '"okta"'))
    with pytest.raises(MappingError, match=r"b\.toml:1: a\.toml is a mapping of okta already"):
        load_mappings(tmp_path)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no such directory"):
        load_mappings(tmp_path / "nowhere")


def test_an_expression_that_makes_no_sense_for_a_value_gives_nothing() -> None:
    assert Expression("starts_with(a, 'x')").search({"a": 5}) is None
    assert not Expression("starts_with(a, 'x')").holds({"a": None})
    assert Expression("a").holds({"a": 0})


def test_the_members_that_a_mapping_reads_are_found_without_its_iterator_which_fails_where_another_thread_stores_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mapping = parse_mapping(MAPPING, name="example.toml")

    def fail(_model: BaseModel) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(BaseModel, "__iter__", fail)

    assert mapping.member_names >= {"kind", "who", "id", "at", "sent", "session", "result", "from", "agent"}
