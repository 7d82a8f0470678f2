"""Every sample of every identity system, as it sends them, through the handlers."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from processors import eventbridge_consumer, sqs_consumer
from providers.envelopes import IgnoredEvent, RejectedEvent, read_events
from schemas.events import to_json
from schemas.times import parse_rfc3339
from tests.conftest import Backend, login, logout, sqs_record
from tests.provider_samples import ProviderSample, provider_samples

SAMPLES = provider_samples()
SENT_AT = str(int(datetime(2026, 3, 1, 12, 30, tzinfo=UTC).timestamp() * 1000))
OVER_EVENTBRIDGE = [s for s in SAMPLES if isinstance(s.content, dict) and "detail-type" in s.content]


def record(body: str, message_id: str = "message-1") -> dict[str, Any]:
    made = sqs_record(body, message_id)
    made["attributes"]["SentTimestamp"] = SENT_AT
    return made


def consume(*records: dict[str, Any]) -> list[str]:
    answer = sqs_consumer.lambda_handler({"Records": list(records)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def emitted(output: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, output.splitlines()) if "_aws" in line]


def counts_in(output: str) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for line in emitted(output):
        for name in ("applied", "duplicate", "stale", "ignored", "rejected", "retry"):
            outcomes[name] += int(sum(line.get(name, [])))
    return +outcomes


def ignored_in(output: str) -> Counter[tuple[str, str]]:
    return Counter(
        {
            (line["provider"], line["event_type"]): int(sum(line["ignored_by_provider"]))
            for line in emitted(output)
            if "ignored_by_provider" in line
        }
    )


def as_expected(sample: ProviderSample) -> list[dict[str, Any]]:
    """What the sample's message is read as, in the form of the file beside it."""
    found: list[dict[str, Any]] = []
    for reading, expected in zip(read_events(sample.body, sent_at=None), sample.expected, strict=True):
        if isinstance(reading, RejectedEvent):
            found.append({"outcome": "rejected", "reason": reading.error.reason})
        elif isinstance(reading, IgnoredEvent):
            found.append({"outcome": "ignored", "provider": reading.provider, "type": reading.event_type})
        else:
            event = to_json(reading)
            if "event_id" not in expected.get("event", event):
                del event["event_id"]  # one is derived
            found.append({"outcome": expected["outcome"], "event": event})
    return found


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.provider}-{sample.name}")
def test_a_sample_has_the_outcome_beside_it(
    sample: ProviderSample, backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_at(sample, monkeypatch)

    failures = consume(record(sample.body))

    output = capsys.readouterr().out
    outcomes = Counter(expected["outcome"] for expected in sample.expected)
    assert as_expected(sample) == sample.expected
    assert counts_in(output) == outcomes
    assert failures == (["message-1"] if outcomes["retry"] else [])
    assert [rejected["reason"] for rejected in backend.messages(backend.rejected_queue)] == [
        expected["reason"] for expected in sample.expected if expected["outcome"] == "rejected"
    ]
    assert ignored_in(output) == Counter(
        (expected["provider"], expected["type"] or "(none)")
        for expected in sample.expected
        if expected["outcome"] == "ignored" and expected["provider"]
    )
    assert "example.com" not in output
    assert "eyJ" not in output
    for event in (expected["event"] for expected in sample.expected if expected["outcome"] == "applied"):
        assert_stored(event, backend)


def stand_at(sample: ProviderSample, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the handlers' clock to the sample's latest event: none is too old, and none ahead of its time."""
    times = [expected["event"]["occurred_at"] for expected in sample.expected if "event" in expected]
    if times:
        monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: max(map(parse_rfc3339, times)))


def assert_stored(event: dict[str, Any], backend: Backend) -> None:
    if event["event_type"] == "logout_all":
        [item] = [item for item in backend.items() if item["SK"]["S"].startswith("revoked#")]
        assert item["PK"]["S"] == f"c#{event['customer_id']}"
        return
    session = backend.sessions.get_session_by_session_id(event["session_id"], event["customer_id"])
    assert session is not None
    if event["event_type"] == "login":
        client = event.get("client", {})
        assert (session.client_ip, session.user_agent) == (client.get("ip"), client.get("user_agent"))
        assert (session.source, session.session_state) == (event["source"], "active")
    else:
        assert (session.end_reason, session.session_state) == (event["reason"], "closing")


@pytest.mark.parametrize("backend", ["moto"], indirect=True)
@pytest.mark.parametrize("sample", OVER_EVENTBRIDGE, ids=lambda sample: f"{sample.provider}-{sample.name}")
def test_the_handler_of_a_rule_comes_to_the_same(
    sample: ProviderSample, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_at(sample, monkeypatch)

    outcome = eventbridge_consumer.lambda_handler(sample.content, None)

    assert outcome == sample.expected[0]["outcome"]


def test_of_several_events_in_a_message_each_is_stored_or_set_aside_with_its_own_body(backend: Backend) -> None:
    bad = {"event_id": "bad", "event_type": "login", "customer_id": "c", "access_token": "tok-secret"}
    events = [login("one").model_dump(mode="json"), bad, login("two").model_dump(mode="json")]

    assert consume(record(json.dumps(events))) == []

    [rejected] = backend.messages(backend.rejected_queue)
    assert {item["session_id"]["S"] for item in backend.items()} == {"one", "two"}
    assert rejected["reason"] == "event 2 of the message: occurred_at is missing; session_id is missing"
    assert json.loads(rejected["body"]) == bad | {"access_token": "<text, 10>"}


def test_a_message_is_retried_whole_and_what_is_wrong_in_it_is_set_aside_once(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    early = logout("later", None).model_dump(mode="json", exclude_none=True)
    message = record(json.dumps([login("one").model_dump(mode="json"), {"event_type": "login"}, early]))

    first = consume(message)
    waiting = backend.messages(backend.rejected_queue)
    capsys.readouterr()
    consume(record(json.dumps(login("later").model_dump(mode="json"))))
    capsys.readouterr()
    second = consume(message)

    assert (first, waiting) == (["message-1"], [])
    assert second == []
    assert counts_in(capsys.readouterr().out) == {"applied": 1, "duplicate": 1, "rejected": 1}
    assert len(backend.messages(backend.rejected_queue)) == 1


def test_json_lines_are_several_events_and_a_broken_line_is_one_of_them(backend: Backend) -> None:
    lines = [json.dumps(login("one").model_dump(mode="json")), '{"broken', json.dumps({"log_id": "1", "data": 5})]

    assert consume(record("\n".join(lines))) == []

    reasons = [rejected["reason"] for rejected in backend.messages(backend.rejected_queue)]
    assert len(backend.items()) == 1
    assert [reason.partition(":")[0] for reason in reasons] == ["event 2 of the message", "event 3 of the message"]


def test_too_many_types_of_a_system_are_counted_as_one(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    events = [{"log_id": str(n), "data": {"type": f"type-{n}"}} for n in range(200)]
    odd = {"log_id": "x", "data": {"type": "ada@example.com"}}

    consume(record(json.dumps([*events, odd, odd, odd])))

    output = capsys.readouterr().out
    ignored = ignored_in(output)
    assert len(ignored) == 51
    assert ignored["auth0", "(unnamed)"] == 3
    assert ignored["auth0", "(others)"] == 151
    assert "ada@example.com" not in output


def test_a_directory_of_further_mappings_is_read_and_a_wrong_file_is_refused_at_start(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    mapping = tmp_path / "mine.toml"
    mapping.write_text(
        'provider = "mine"\ntype = "what"\n[[recognise]]\nhas = ["my_event"]\n'
        '[[events]]\nis = "login"\ntypes = ["in"]\ncustomer_id = "who"\noccurred_at = "at"\n'
    )
    monkeypatch.setenv("PROVIDER_MAPPINGS_DIRECTORY", str(tmp_path))
    event = {"my_event": 1, "what": "in", "who": 17, "at": "2026-03-01 12:00:00"}

    assert consume(record(json.dumps(event))) == []

    [item] = backend.items()
    assert item["source"]["S"] == "mine"
    assert item["customer_id"]["S"] == "17"

    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.toml").write_text(mapping.read_text().replace('"who"', '"who["'))
    monkeypatch.setenv("PROVIDER_MAPPINGS_DIRECTORY", str(other))
    with pytest.raises(ValueError, match=r"mine\.toml:8: events\.0\.customer_id is not a valid JMESPath expression"):
        consume(record(json.dumps(event)))
