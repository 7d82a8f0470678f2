"""`sessionctl mapping new`: whatever the samples are, the draft is a valid mapping, and says what was guessed."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ops.sessionctl.app import app
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.mapping_draft import draft
from ops.sessionctl.mapping_kinds import kind_of
from ops.sessionctl.mapping_samples import events_in, read_samples, readings, with_bundled
from ops.sessionctl.mapping_trial import try_samples
from providers.mapping_files import parse_mapping
from providers.provider_mappings import ProviderMapping, bundled_mappings

EVENTS = Path(__file__).parents[1] / "events"
CASDOOR = EVENTS / "unlisted" / "casdoor"

RECORD = {
    "id": 41,
    "uuid": "0a1b2c3d-0000-4000-8000-000000000041",
    "when": {"created_at": "2026-03-01T10:20:30Z", "expires_at": "2026-03-02T10:20:30Z"},
    "kind": "user.signed_in",
    "status": "ok",
    "user": {"id": "u1", "email": "ada@example.com"},
    "session": {"id": "s1"},
    "tenant_id": "t1",
    "client": {"ip": "192.0.2.7", "user-agent": "Mozilla/5.0"},
}
ENDED = RECORD | {"id": 42, "uuid": "0a1b2c3d-0000-4000-8000-000000000042", "kind": "user.signed_out"}
OTHER = RECORD | {"id": 43, "uuid": "0a1b2c3d-0000-4000-8000-000000000043", "kind": "user.renamed", "status": "failed"}


def drafted(*events: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    text = draft("example", [(event, None) for event in events]).text
    parse_mapping(text, name="draft.toml")
    return text, tomllib.loads(text)


def test_each_field_is_found_by_name_and_value() -> None:
    _, file = drafted(RECORD, ENDED, OTHER)

    assert file["type"] == "kind"
    assert file["fields"] == {
        "event_id": "uuid",
        "occurred_at": "when.created_at",
        "customer_id": "user.id",
        "session_id": "session.id",
        "client": {"ip": "client.ip", "user_agent": 'client."user-agent"'},
    }
    assert [(rule["is"], rule["types"]) for rule in file["events"]] == [
        ("login", ["user.signed_in"]),
        ("logout", ["user.signed_out"]),
    ]
    assert file["ignored"] == ["user.renamed"]


def test_each_guess_says_why_what_else_it_may_be_and_what_to_check() -> None:
    text, _ = drafted(RECORD, ENDED, OTHER)

    assert "# event_id: uuid: its name says uuid, is a UUID, differs in every sample; in every sample, as " in text
    assert "#   or id: its name says id, differs in every sample; in every sample, as '41'\n" in text
    assert "#   or user.email: its name says user, is an e-mail address, which changes: is there an id?" in text
    assert "#   CHECK: is it when it happened, not when it was sent or written down?\n" in text
    assert "# when = \"status == 'ok'\" # CHECK: samples have 'ok', 'failed'\n" in text


def test_a_tenant_and_an_expiry_are_proposed_and_not_taken() -> None:
    text, file = drafted(RECORD)

    assert '# tenant = "tenant_id"\n' in text
    assert '# expires_at = "when.expires_at"\n' in text
    assert "tenant" not in file


def test_what_is_not_found_is_said() -> None:
    text, file = drafted({"a": "x", "b": "y"})

    assert "# CHECK: no type was found" in text
    assert "# CHECK: no customer_id was found: every login is rejected" in text
    assert [rule["is"] for rule in file["events"]] == ["rejected"]


def test_types_that_say_nothing_are_rejected_until_somebody_says_what_they_are() -> None:
    _, file = drafted(RECORD | {"kind": "A1"}, RECORD | {"kind": "A2"})

    assert [(rule["is"], rule["types"]) for rule in file["events"]] == [("rejected", ["A1", "A2"])]


def test_one_object_alone_is_recognised_by_what_is_in_it() -> None:
    _, file = drafted({"event": RECORD})

    [way] = file["recognise"]
    assert way["has"] == ["event"]
    assert "event.kind != `null` && event.when.created_at != `null` && event.user.id != `null`" in way["when"]


def test_events_without_a_member_in_common_are_recognised_each_by_its_own() -> None:
    _, file = drafted({"login": "a"}, {"logout": "b"})

    assert file["recognise"] == [{"has": ["login"]}, {"has": ["logout"]}]


def test_the_events_of_a_page_are_drafted_and_the_page_is() -> None:
    text = draft("example", [({"results": [RECORD, ENDED], "next": None}, None)]).text

    file = tomllib.loads(text)
    assert file["page"] == [{"has": ["results", "next"], "members": "results"}]
    assert file["type"] == "kind"


def test_a_partner_source_and_a_telling_detail_type_are_taken() -> None:
    envelope = {"id": "1", "source": "aws.partner/example.com/shop/bus", "detail-type": "UserLogin", "detail": {}}
    events = [({"user_id": "u1"}, envelope), ({"user_id": "u2"}, envelope | {"detail-type": "UserLogout"})]

    file = tomllib.loads(draft("example", events).text)

    assert file["recognise"] == [{"source": "aws.partner/example.com/"}]
    assert file["detail_type"] is True
    assert [rule["types"] for rule in file["events"]] == [["UserLogin"], ["UserLogout"]]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user.login", "login"),
        ("USER_SIGNED_IN", "login"),
        ("SessionCreated", "login"),
        ("PostLogin", "login"),
        ("user.logout", "logout"),
        ("sessionRevoked", "logout"),
        ("user_deleted", "logout_all"),
        ("login_failed", ""),
        ("login.attempt", ""),
        ("user.updated", ""),
        ("catalogin", ""),
        ("", ""),
    ],
)
def test_a_type_is_what_the_words_of_its_name_say(name: str, kind: str) -> None:
    assert kind_of(name) == kind


PROVIDERS = sorted(mapping.provider for mapping in bundled_mappings().mappings)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_draft_of_every_known_systems_samples_loads_and_reads_them(provider: str) -> None:
    samples = read_samples([EVENTS / "providers" / provider])
    found = events_in(samples)

    file = parse_mapping(draft("draft", found).text, name="draft.toml")

    read = [reading for sample in samples for reading in readings(sample, [ProviderMapping(file)])]
    assert any("draft" in reading.providers for reading in read)


NAMES = st.text(max_size=6) | st.sampled_from(["id", "type", "user", "session", "time", "ip", "status", "a.b", 'q"'])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, JSON, min_size=1, max_size=5)


@given(st.lists(OBJECTS, min_size=1, max_size=4))
def test_whatever_the_events_are_the_draft_is_a_valid_mapping(events: list[dict[str, Any]]) -> None:
    if any(name.isprintable() for event in events for name in event):
        drafted(*events)
    else:
        with pytest.raises(CannotRunError, match="no members by whose names"):
            drafted(*events)


def test_a_system_that_is_not_in_the_list_is_read_by_its_draft(tmp_path: Path) -> None:
    made = tmp_path / "casdoor.toml"

    result = CliRunner().invoke(app, ["mapping", "new", "casdoor", str(CASDOOR), "--output", str(made)])

    rows = {row.sample: row for row in try_samples(parse_mapping(made.read_text(), name="x"), read_samples([CASDOOR]))}
    assert result.exit_code == 0, result.stderr
    assert "Next: settle each CHECK" in result.stderr
    assert {name: row.cells()["outcome"] for name, row in rows.items()} == {
        "login": "login",
        "logout": "logout_all",
        "update-user": "ignored",
    }
    assert rows["login"].cells()["customer"] == "ada"
    assert [row.problem for row in rows.values()] == ["", "", ""]


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    there = tmp_path / "mine.toml"
    there.write_text("mine")

    result = CliRunner().invoke(app, ["mapping", "new", "mine", str(CASDOOR), "--output", str(there)])

    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert there.read_text() == "mine"


@pytest.mark.parametrize("name", ["Casdoor", "9", "a-b", ""])
def test_a_name_that_no_mapping_may_have_is_refused(name: str) -> None:
    result = CliRunner().invoke(app, ["mapping", "new", name, str(CASDOOR)])

    assert result.exit_code == 2
    assert "is no name of a system" in result.stderr


def test_events_that_a_bundled_mapping_reads_already_are_named() -> None:
    result = CliRunner().invoke(app, ["mapping", "new", "mine", str(EVENTS / "providers" / "okta" / "logout.json")])

    assert "To settle: the mapping of okta recognises some of these events already." in result.stderr
    assert "# CHECK: the mapping of okta recognises some of these events: such are rejected." in result.stdout


def test_samples_without_any_event_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")

    result = CliRunner().invoke(app, ["mapping", "new", "mine", str(tmp_path)])

    assert result.exit_code == 2
    assert "the samples hold no events" in result.stderr


def test_a_mapping_of_ones_own_replaces_the_bundled_one_of_that_name() -> None:
    mine = parse_mapping(draft("okta", [(RECORD, None)]).text, name="mine.toml")

    assert [mapping.file is mine for mapping in with_bundled(mine) if mapping.provider == "okta"] == [True]


def test_json_lines_are_several_events(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(event) for event in (RECORD, ENDED)))

    assert [event for event, _ in events_in(read_samples([tmp_path]))] == [RECORD, ENDED]
