"""The command line against a real local stack: publish, see, audit, and the stack it runs itself."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.inspection.leftovers import Rejection, read_rejections
from ops.sessionctl.app import app
from ops.sessionctl.running_stack import find_running
from schemas.times import format_rfc3339, to_milliseconds

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "ops.sessionctl")
OCCURRED_AT = to_milliseconds(datetime.now(UTC)) - timedelta(minutes=5)


@pytest.fixture(autouse=True)
def clock_of_the_tests() -> None:
    """The real clock: the stack's functions run in processes of their own, and commands go by theirs."""


@dataclass(frozen=True)
class Local:
    """`sessionctl local` in a process of its own, as in another terminal."""

    process: "subprocess.Popen[str]"
    printed: list[str]
    env_vars: Path

    def end(self) -> list[str]:
        """End it as Ctrl-C does; what it printed since it was up."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[0].splitlines()


@contextmanager
def local_stack(folder: Path) -> Iterator[Local]:
    env_vars = folder / "env.json"
    options = ["--bind", "0.0.0.0", "--env-vars", str(env_vars)]  # noqa: S104 (what is tested)
    with subprocess.Popen(  # noqa: S603 (the command is ours)
        [*COMMAND, "local", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(folder), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        printed = []
        while "as they come" not in (line := process.stdout.readline()) and line:
            printed.append(line.strip())
        local = Local(process, printed, env_vars)
        yield local
        if process.poll() is None:
            local.end()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    folder = tmp_path_factory.mktemp("sessionctl")
    with pytest.MonkeyPatch.context() as patch, local_stack(folder) as running:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield running


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=text)


def answer(*arguments: str) -> Any:
    """What a command answers with --json; standard output must be that document and nothing else."""
    return json.loads(run(*arguments, "--json").stdout)


def aws(service: str) -> Any:
    running = find_running()
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(service, endpoint_url=running.endpoint, region_name=running.region, **keys)  # type: ignore[call-overload] # the name varies


def rejections() -> list[Rejection]:
    """Everything the rejected-events queue holds; read once, it is hidden for a minute."""
    return read_rejections(aws("sqs"), find_running().outputs["RejectedEventsQueueUrl"])


def eventually(is_so: Callable[[], bool]) -> None:
    hangs_after = time.monotonic() + 180  # generous: the machine may be busy, and a function takes its time to start
    while not is_so():
        assert time.monotonic() < hangs_after, "it never became so"
        time.sleep(0.2)


def login(customer_id: str, session_id: str) -> str:
    event = {"event_id": f"{customer_id}-{session_id}", "event_type": "login", "customer_id": customer_id}
    return json.dumps(event | {"session_id": session_id, "occurred_at": format_rfc3339(OCCURRED_AT)})


@pytest.fixture(scope="module")
def published(stack: Local) -> dict[str, Result]:
    """What the tests look at, published through the command line and processed: one wait for all of them."""
    half_an_hour = ("--occurred-at", format_rfc3339(OCCURRED_AT), "--expires-in", "30m")
    bus, queue = ("--via", "eventbridge"), ("--via", "sqs")
    commands = {
        "login over the bus": ("login", "--customer", "one", "--session", "s-1", "--ip", "192.0.2.1", *bus),
        "login over the queue": ("login", "--customer", "one", "--session", "s-2", *half_an_hour, *queue),
        "logout over the queue": ("logout", "--customer", "one", "--session", "s-2", "--reason", "security", *queue),
        "another login": ("login", "--customer", "one", "--session", "s-3"),
        "child": ("login", "--customer", "two", "--session", "child", "--parent", "parent"),
        "parent": ("login", "--customer", "two", "--session", "parent"),
    }
    results = {name: run("publish", *arguments) for name, arguments in commands.items()}
    results["lines"] = run(
        "publish", "-", text="\n".join((login("three", "s-1"), "{no json", "{}", login("three", "s-2")))
    )
    results["strict"] = run("publish", "-", "--strict", "--json", text=f"[{login('four', 's-1')}, {login('four', '')}]")
    results["not validated"] = run("publish", "-", "--no-validate", "--via", "sqs", text="{no json")
    for name in ("login.json", "eventbridge-login.json", "logout-all.json"):
        results[name] = run("publish", str(ROOT / "tests" / "events" / name))
    assert stack.process.poll() is None
    eventually(lambda: any("not valid JSON" in rejection.reason for rejection in rejections()))
    eventually(
        lambda: (answer("get", "customer", "one")["session_count"], len(answer("get", "children", "parent"))) == (2, 1)
    )
    eventually(lambda: answer("get", "customer", "two")["session_count"] == 1)
    eventually(lambda: answer("get", "customer", "three")["session_count"] == 2)
    eventually(lambda: run("audit").exit_code == 0)
    return results


@pytest.mark.parametrize(
    "name",
    [
        *("login over the bus", "login over the queue", "logout over the queue", "another login", "child", "parent"),
        *("not validated", "login.json", "eventbridge-login.json", "logout-all.json"),
    ],
)
def test_publishing_ends_with_exit_code_0_and_says_what_was_published(published: dict[str, Result], name: str) -> None:
    result = published[name]

    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("Published ")
    assert result.stdout == ""


@pytest.mark.usefixtures("published")
def test_a_session_is_shown_as_it_was_published() -> None:
    live = run("get", "session", "s-1", "--customer", "one")
    ended = answer("get", "session", "s-2", "--customer", "one")

    assert live.exit_code == 0
    assert "live" in live.stdout
    assert "192.0.2.1" in live.stdout
    assert (ended["is_live"], ended["end_reason"]) == (False, "security")
    assert ended["expires_at"] == format_rfc3339((OCCURRED_AT + timedelta(minutes=30)).replace(microsecond=0))


@pytest.mark.usefixtures("published")
def test_a_customer_is_shown_with_count_last_login_and_live_sessions() -> None:
    live = answer("get", "customer", "one")
    every = answer("get", "customer", "one", "--all")
    last = answer("get", "last-login", "one")
    shown = run("get", "customer", "one")

    assert live["session_count"] == 2
    assert [session["session_id"] for session in live["sessions"]] == ["s-1", "s-3"]
    assert len(every["sessions"]) == 3
    assert last["last_login_session_id"] == "s-3"
    assert last["last_login_time"] == live["last_login_time"]
    assert "s-1" in shown.stdout
    assert "s-2" not in shown.stdout


@pytest.mark.usefixtures("published")
def test_children_and_their_parent_are_found_by_each_others_ids() -> None:
    children = answer("get", "children", "parent")
    family = answer("get", "parent", "child")
    shown = run("get", "parent", "child"), run("get", "children", "parent")

    assert [found["session_id"] for found in children] == ["child"]
    assert (family["child"]["session_id"], family["parent"]["session_id"]) == ("child", "parent")
    assert [result.exit_code for result in shown] == [0, 0]


def test_good_lines_of_a_file_are_published_and_bad_ones_reported_with_their_number(
    published: dict[str, Result],
) -> None:
    result = published["lines"]

    assert result.exit_code == 1
    assert "standard input, line 2: not valid: the body is not valid JSON" in result.stderr
    assert "standard input, line 3: not valid: event_type is missing" in result.stderr
    assert "Published 2 of 4 events to the local stack over EventBridge." in result.stderr
    assert answer("get", "customer", "three")["session_count"] == 2


def test_with_strict_nothing_is_sent_where_one_event_is_not_valid(published: dict[str, Result]) -> None:
    report = json.loads(published["strict"].stdout)

    assert published["strict"].exit_code == 1
    assert (report["published"], report["withheld"]) == (0, 1)
    assert report["invalid"] == [{"place": "event 2", "reason": "session_id is empty"}]
    assert run("get", "customer", "four").exit_code == 1


@pytest.mark.usefixtures("published")
def test_logout_all_is_published_with_its_exception() -> None:
    document = answer("publish", "logout-all", "--customer", "nobody", "--except", "s-1")

    assert document["event"]["event_type"] == "logout_all"
    assert document["event"]["except_session_id"] == "s-1"


@pytest.mark.usefixtures("published")
def test_verifying_says_that_all_agrees_names_what_is_wrong_and_a_repair_mends_it() -> None:
    client, table = aws("dynamodb"), find_running().outputs["ProjectionsTableName"]
    key = {"PK": {"S": "c#three"}}

    eventually(lambda: run("audit").exit_code == 0)
    clean = run("verify")
    client.delete_item(TableName=table, Key=key)
    wrong, wrong_document = run("verify"), answer("verify")
    mended = run("repair", "--customer", "three")

    assert clean.exit_code == 0, clean.stdout
    assert wrong.exit_code == 1
    assert "three" in wrong.stdout
    assert {mismatch["customer_id"] for mismatch in wrong_document["mismatches"]} == {"three"}
    assert mended.exit_code == 0, mended.stdout
    assert answer("get", "customer", "three")["session_count"] == 2
    assert run("verify").exit_code == 0


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("arguments", "document", "line"),
    [
        (["session", "nope", "--customer", "nobody"], None, "no session nope of customer nobody"),
        (["parent", "nope"], None, "no child session nope"),
        (["children", "nope"], [], "no child session of nope"),
    ],
)
def test_what_is_not_there_is_said_and_programs_still_get_a_document(
    arguments: list[str], document: Any, line: str
) -> None:
    people, programs = run("get", *arguments), run("get", *arguments, "--json")

    assert (people.exit_code, programs.exit_code) == (1, 1)
    assert people.stdout == ""
    assert line in people.stderr
    assert json.loads(programs.stdout) == document


def test_the_lines_that_local_prints_work_when_pasted_into_another_terminal(stack: Local) -> None:
    lines = [line for line in stack.printed if "-m ops.sessionctl" in line]

    result = subprocess.run(lines[0], shell=True, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S602 (a line for a shell)

    assert len(lines) == 6
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("Published login ")


def test_the_environment_for_containers_reaches_the_stack_by_the_name_containers_know(stack: Local) -> None:
    functions = json.loads(stack.env_vars.read_text())

    environment = functions["SqsConsumerFunction"]
    assert functions.keys() == {
        *("SqsConsumerFunction", "StreamProjectorFunction", "SessionPublisherFunction", "ExpirySweeperFunction")
    }
    assert environment["AWS_ENDPOINT_URL"].startswith("http://host.docker.internal:")
    assert environment["REJECTED_EVENTS_QUEUE_URL"].startswith(environment["AWS_ENDPOINT_URL"])
    assert environment["SESSIONS_TABLE"] == find_running().outputs["SessionsTableName"]
    assert environment["DYNAMODB_BATCH_STATEMENTS"] == "false"


@pytest.mark.usefixtures("published")
def test_the_readmes_code_runs_as_printed_in_a_shell_that_env_has_pointed_at_the_stack(stack: Local) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python sample\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    code = code.replace("customer-1001", "one")
    script = f'eval "$({sys.executable} -m ops.sessionctl env)"; exec {sys.executable} -'
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    eventually(lambda: answer("get", "customer", "one")["session_count"] == 2)
    done = subprocess.run(  # noqa: S603 # the README's own code in a shell
        ["/bin/bash", "-c", script], input=code, capture_output=True, text=True, check=False, cwd=ROOT, env=clean
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("2 ")


def test_a_second_local_stack_is_refused(stack: Local) -> None:
    result = run("local")

    assert result.exit_code == 2
    assert f"a local stack session-events runs already, process {stack.process.pid}" in result.stderr


def test_local_ends_in_order_with_ctrl_c_and_leaves_nothing_that_says_it_runs(tmp_path: Path) -> None:
    with local_stack(tmp_path) as running:
        rest = running.end()

    assert rest[-1] == "Stopped; nothing is left running."
    assert running.process.returncode == 0
    assert not list(tmp_path.rglob("local-stacks/*.json"))
