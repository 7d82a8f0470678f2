"""`erase` and `export` as a person runs them, on a deployed stack with an archive. On moto."""

import gzip
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.erasure.archive import Archive
from ops.sessionctl.app import app
from processors import sqs_consumer, stream_projector
from processors.aws.event_bus import line_of
from processors.life_cycle.transitions import change_of, transition_of
from processors.register.erased_list import hash_of
from schemas.events import Event
from schemas.stream import read_record
from tests.conftest import NOW, Backend, login, logout, logout_all, sqs_record

# without a function to ask, commands write items one by one: what they do on the engine the rooms' own tests show
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("backend", ["moto"], indirect=True)]

STACK = ("--stack-name", "prod")
BUCKET = "archive-of-prod"
AGO = (datetime.now(UTC) - NOW) // timedelta(minutes=1) - 60
"""An hour ago, in minutes after the tests' noon: commands go by the real clock."""

DAY: tuple[Event, ...] = (
    login("live", "one", minute=AGO, client={"ip": "192.0.2.1"}),
    login("kid", "one", minute=AGO + 1, parent_session_id="live"),
    login("ended", "one", minute=AGO + 2),
    logout("ended", "one", minute=AGO + 3),
    logout_all("one", minute=AGO - 5),
    login("theirs", "two", minute=AGO + 4),
    login("their-kid", "two", minute=AGO + 5, parent_session_id="theirs"),
)


@dataclass
class Deployed:
    """A stack, and a clock that moves where somebody waits."""

    backend: Backend
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    waits: list[float] = field(default_factory=list)
    projected: int = 0

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)

    def consume(self, *events: Event) -> None:
        records = [sqs_record(event) for event in events]
        for record in records:
            record["attributes"]["SentTimestamp"] = str(int(self.now.timestamp() * 1000))
        assert sqs_consumer.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}

    def project(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Project what is new in the stream, or all of it again, and archive what it tells."""
        records = self.backend.stream_records()
        new = records if everything else records[self.projected :]
        self.projected = len(records)
        assert stream_projector.lambda_handler({"Records": new}, None) == {"batchItemFailures": []}
        return new

    def archive(self, name: str, records: list[dict[str, Any]]) -> None:
        told = [transition_of(change_of(read_record(record))) for record in records]
        lines = "".join(line_of(transition.detail) + "\n" for transition in told if transition is not None)
        boto3.client("s3").put_object(Bucket=BUCKET, Key=name, Body=gzip.compress(lines.encode()))

    def traces(self, customer_id: str) -> list[dict[str, Any]]:
        tables = (self.backend.sessions_table, self.backend.projections_table)
        return [item for table in tables for item in self.backend.items(table) if customer_id in str(item)]

    def archived(self) -> list[dict[str, Any]]:
        s3 = boto3.client("s3")
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]


@pytest.fixture
def deployed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    outputs = {
        "EventBusName": "auth",
        "SessionEventsQueueUrl": backend.events_queue,
        "SessionsTableName": backend.sessions_table,
        "ProjectionsTableName": backend.projections_table,
        "ArchiveBucketName": BUCKET,
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="prod", TemplateBody=json.dumps(template))
    made = Deployed(backend)
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: made.now)
    monkeypatch.setattr("ops.sessionctl.erase.time.sleep", made.sleep)
    made.consume(*DAY)
    made.archive("year=2026/month=03/day=01/first.gz", made.project())
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, *STACK])


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_a_dry_run_says_what_would_go_and_changes_nothing(deployed: Deployed) -> None:
    before = deployed.traces("")

    people, programs = run("erase", "one", "--dry-run"), answer("erase", "one", "--dry-run")

    assert people.exit_code == 0
    assert "1 child session, 2 sessions, 1 revocation, and the projection" in people.stdout
    assert programs["items"] == {"child_session_deleted": 1, "session_deleted": 2, "revocation_deleted": 1}
    assert programs["has_projection"]
    assert deployed.traces("") == before
    assert deployed.waits == []


def test_nothing_of_the_customers_day_returns_by_redelivery_replay_redrive_or_rebuild(
    deployed: Deployed, tmp_path: Path
) -> None:
    theirs = deployed.traces("two")
    path = tmp_path / "receipt.json"

    erased = run("erase", "one", "--yes", "--receipt", str(path))
    deployed.consume(*DAY)  # redelivered
    deployed.project()
    deployed.project(everything=True)  # the stream replayed, and failed batches sent again
    deployed.consume(*reversed(DAY))  # redriven from a dead-letter queue
    deployed.project()
    rebuilt = run("rebuild", "all"), run("rebuild", "customer", "one"), run("rebuild", "register")

    assert (erased.exit_code, [result.exit_code for result in rebuilt]) == (0, [0, 0, 0])
    assert deployed.traces("one") == []
    assert [item["PK"] for item in deployed.traces("two")] == [item["PK"] for item in theirs]
    assert len(deployed.waits) == 240
    receipt = json.loads(path.read_text())
    assert (receipt["customer_sha256"], receipt["projection"]) == (hash_of("one"), "deleted")
    assert receipt["items"] == {"child_session_deleted": 1, "session_deleted": 2, "revocation_deleted": 1}
    assert "one" not in path.read_text().replace(hash_of("one"), "").replace("none", "").split('"')
    later = {place["place"]: place["until"] for place in receipt["later"]}
    assert later["queues"] > later["stream"] > receipt["finished_at"]
    assert "expiry agenda" not in later  # the stack has none
    assert "For the archive, an hour from now: " in erased.stdout
    assert "erase one --archive --stack-name prod" in erased.stdout


def test_the_archive_is_rewritten_an_hour_later_without_the_customers_lines(deployed: Deployed) -> None:
    never, early = run("erase", "one", "--archive", "--yes"), run("erase", "one", "--yes")
    too_early = run("erase", "one", "--archive", "--yes")
    deployed.now += timedelta(hours=1)
    boto3.client("s3").put_object(Bucket=BUCKET, Key="broken.gz", Body=b"\x1f\x8b broken")

    before = answer("erase", "one", "--archive", "--dry-run")
    done = run("erase", "one", "--archive", "--yes")
    boto3.client("s3").delete_object(Bucket=BUCKET, Key="broken.gz")
    again = answer("erase", "one", "--archive", "--yes")

    assert (never.exit_code, early.exit_code, too_early.exit_code) == (2, 0, 2)
    assert "is not on the list of erased customers" in never.stderr
    assert "events may still be on their way to the archive: run it at " in too_early.stderr
    assert before["lines"] == 3
    assert done.exit_code == 1
    assert "Removed 3 lines of customer one from the archive: 2 objects read, 1 rewritten, 0 deleted." in done.stdout
    assert "broken.gz: not valid gzip" in done.stdout
    assert {line["session"]["customer_id"] for line in deployed.archived()} == {"two"}
    assert (again["lines"], again["rewritten"], again["problems"]) == (0, 0, {})


def test_an_object_that_changes_between_reading_and_replacing_is_not_overwritten(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = boto3.client("s3")
    key = "year=2026/month=03/day=01/first.gz"
    archive, newer = Archive(s3, BUCKET), gzip.compress(b'{"session": {"customer_id": "three"}}\n')
    read = archive._read

    def read_then_change(name: str) -> Any:
        found = read(name)
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=newer)
        return found

    monkeypatch.setattr(archive, "_read", read_then_change)

    done = archive.erase("one", deployed.now)

    assert done.problems == {key: "it was changed meanwhile: run it again"}
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == newer


def test_a_child_session_without_parent_is_found_by_a_scan_alone(deployed: Deployed) -> None:
    deployed.consume(login("orphan", "one", minute=AGO + 6, parent_session_id="nowhere"))
    deployed.project()

    without, with_scan = answer("erase", "one", "--dry-run"), answer("erase", "one", "--dry-run", "--scan")
    erased = answer("erase", "one", "--yes", "--scan")

    assert without["items"]["child_session_deleted"] == 1
    assert with_scan["items"]["child_session_deleted"] == 2
    assert (erased["scanned"], erased["items"]["child_session_deleted"]) == (True, 2)
    assert not [place for place in erased["later"] if "parent" in place["place"]]
    assert deployed.traces("one") == []


def test_nobody_to_ask_is_said_and_nothing_is_changed(deployed: Deployed) -> None:
    before = deployed.traces("")

    result = run("erase", "one")

    assert result.exit_code == 2
    assert "repeat the command with --yes, or with --dry-run" in result.stderr
    assert deployed.traces("") == before


def test_ctrl_c_while_it_waits_says_what_is_done_and_running_it_again_does_the_rest(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.sessionctl.erase.time.sleep", press)
    stopped = run("erase", "one", "--yes")
    monkeypatch.setattr("ops.sessionctl.erase.time.sleep", deployed.sleep)

    assert stopped.exit_code == 130
    assert "the customer is on the list of erased customers, so nothing comes back" in stopped.stderr
    assert "erase one --yes --stack-name prod" in stopped.stderr
    assert run("erase", "one", "--yes").exit_code == 0
    assert deployed.traces("one") == []


def test_a_receipt_that_cannot_be_written_is_refused_before_anything_is_erased(
    deployed: Deployed, tmp_path: Path
) -> None:
    before = deployed.traces("")

    result = run("erase", "one", "--yes", "--receipt", str(tmp_path / "nowhere" / "receipt.json"))

    assert result.exit_code == 2
    assert "the receipt cannot be written to " in result.stderr
    assert deployed.traces("") == before


def test_everything_stored_of_a_customer_is_exported_and_nothing_of_anybody_else(
    deployed: Deployed, tmp_path: Path
) -> None:
    key = {"PK": {"S": "suuid#live"}, "SK": {"S": "c#one"}}
    deployed.backend.dynamodb.update_item(
        TableName=deployed.backend.sessions_table,
        Key=key,
        UpdateExpression="SET theirs = :n, seen = :s, their_bytes = :b",
        ExpressionAttributeValues={":n": {"N": "1.5"}, ":s": {"NS": ["2", "1"]}, ":b": {"B": b"x"}},
    )
    path = tmp_path / "one.json"

    shown = json.loads(run("export", "customer", "one").stdout)
    written = run("export", "customer", "one", "--archive", "--out", str(path))
    nobody = run("export", "customer", "nobody")

    assert {session["session_id"] for session in shown["sessions"]} == {"live", "ended"}
    [live] = [session for session in shown["sessions"] if session["session_id"] == "live"]
    assert (live["client_ip"], live["theirs"], live["seen"], live["their_bytes"]) == ("192.0.2.1", 1.5, [1, 2], "eA==")
    assert [child["session_id"] for child in shown["child_sessions"]] == ["kid"]
    assert shown["revocation"]["revoked_at"] == shown["projection"]["revoked_at"]
    assert (shown["archive"], shown["erased_at"]) == (None, None)
    assert "two" not in json.dumps(shown)
    assert written.exit_code == 0
    document = json.loads(path.read_text())
    assert len(document["archive"]) == 3
    assert path.stat().st_mode & 0o077 == 0
    assert nobody.exit_code == 1
    assert "Nothing is stored of customer nobody." in nobody.stderr


def test_a_stack_without_archive_says_so(deployed: Deployed) -> None:
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {
            name: {"Value": "x"}
            for name in ("EventBusName", "SessionEventsQueueUrl", "SessionsTableName", "ProjectionsTableName")
        },
    }
    boto3.client("cloudformation").create_stack(StackName="plain", TemplateBody=json.dumps(template))

    for command in (("erase", "one"), ("export", "customer", "one")):
        result = CliRunner().invoke(app, [*command, "--archive", "--stack-name", "plain"])

        assert result.exit_code == 2
        assert "stack plain has no archive: ArchiveSessionEvents is false" in result.stderr
