"""The local AWS itself: what it says when it cannot run, that it ends whole, and that several run side by side."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.engines.child_process import EngineError
from ops.local_aws.bundle import local_bundle
from ops.local_aws.emulator import Emulator
from ops.local_aws.stack import LocalStack, LocalStackError
from ops.packaging.package import BuildError
from ops.sessionctl.app import app
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.events import LoginEvent

ROOT = Path(__file__).parents[2]
UNTIL_HUNG = 180


def processes_with(marker: str) -> list[str]:
    found = subprocess.run(["pgrep", "-af", marker], capture_output=True, text=True, check=False)  # noqa: S603, S607 # a marker of ours
    return [line for line in found.stdout.splitlines() if "pgrep" not in line]


def test_a_port_in_use_is_one_line_that_names_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(LocalStackError) as error, LocalStack(port=port):
            pass

    assert str(error.value).startswith(f"port {port} is in use: ")
    assert "\n" not in str(error.value)


def test_it_listens_on_this_machine_only() -> None:
    with Emulator() as emulator:
        port = int(emulator.endpoint.rpartition(":")[2])
        with socket.socket() as probe:
            answer = probe.connect_ex((socket.gethostbyname(socket.gethostname()), port))

    own_name_is_loopback = socket.gethostbyname(socket.gethostname()).startswith("127.")
    assert emulator.endpoint.startswith("http://127.0.0.1:")
    assert answer != 0 or own_name_is_loopback


def server_at(endpoint: str) -> int:
    """The process of the emulator that listens there."""
    port = endpoint.rpartition(":")[2]
    [server] = [line for line in processes_with("ministack") if f"GATEWAY_PORT={port} " in _environment_of(line)]
    return int(server.split()[0])


def test_an_emulator_that_dies_is_said_by_whatever_was_under_way() -> None:
    def work() -> None:
        with LocalStack() as stack:
            os.kill(server_at(stack.endpoint), signal.SIGKILL)
            stack.client("dynamodb").list_tables()

    with pytest.raises(LocalStackError, match=r"MiniStack.* ended with exit code 137"):
        work()


def test_nothing_waits_for_an_emulator_that_died() -> None:
    with Emulator() as emulator:
        os.kill(server_at(emulator.endpoint), signal.SIGKILL)
        time.sleep(0.5)

        with pytest.raises(EngineError, match=r"MiniStack.* ended with exit code 137"):
            emulator.raise_if_ended()


def test_a_server_whose_watcher_is_killed_is_not_left_running() -> None:
    with Emulator() as emulator:
        server = server_at(emulator.endpoint)
        watcher = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1]

        os.kill(int(watcher), signal.SIGKILL)

    assert [line for line in processes_with("ministack") if int(line.split()[0]) == server] == []


def _environment_of(line: str) -> str:
    """The environment of a server, and not that of the watcher above it."""
    if "child_process" in line:
        return ""
    try:
        return Path(f"/proc/{line.split(maxsplit=1)[0]}/environ").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "deadLetterTargetArn: !GetAtt SessionEventsDeadLetterQueue.Arn",
            "deadLetterTargetArn: !GetAtt SessionEventsDeadLetterQueue.Nope",
            "SessionEventsQueue",
        ),
        ("Type: AWS::S3::Bucket\n", "Type: AWS::S3::Pail\n", "AWS::S3::Pail"),
        ("Resources:\n", "Resource:\n", "Resources"),
    ],
)
def test_a_template_that_does_not_deploy_is_one_line(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    template = tmp_path / "template.yaml"
    template.write_text((ROOT / "template.yaml").read_text().replace(right, wrong, 1))

    with pytest.raises(LocalStackError) as error, LocalStack(template=template):
        pass

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_parameter_that_the_template_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(LocalStackError, match=r"no parameter SessionTtl; it has .*SessionTtlSeconds"):
        LocalStack(parameters={"SessionTtl": "60"}).__enter__()


def test_the_functions_are_built_once_and_again_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = local_bundle(tmp_path)
    monkeypatch.setattr("ops.local_aws.bundle.copy_dependencies", _fail)

    second = local_bundle(tmp_path)
    monkeypatch.setattr("ops.local_aws.bundle.STREAM_WRAPPER_SOURCE", "# changed")

    assert first == second
    with pytest.raises(BuildError):
        local_bundle(tmp_path)


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(file: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("ops.local_aws.bundle._replace", fill)

    result = CliRunner().invoke(app, ["local", "--name", "full"])

    assert result.exit_code == 2
    assert result.stderr.endswith(".zip: No space left on device: free some disk, or write to another one\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["local"], ["get", "customer", "c-1"]])
@pytest.mark.parametrize("name", ["", "a b", "1st", "x" * 129, "../../../notes"])
def test_a_name_that_no_stack_can_have_is_one_line_and_touches_no_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    notes = tmp_path / "notes.json"
    notes.write_text("mine")

    result = CliRunner().invoke(app, [*command, "--name", name])

    assert result.exit_code == 2
    assert result.stderr == (
        f"a stack cannot be called {name!r}: letters, digits and hyphens, a letter first, at most 128 in all\n"
    )
    assert notes.read_text() == "mine"


def _fail(_target: Path) -> None:
    raise BuildError("built again")


def test_two_stacks_run_side_by_side_and_are_told_apart_by_name(tmp_path: Path) -> None:
    with LocalStack("one") as one, LocalStack("two") as two:
        names = [one.outputs["SessionsTableName"], two.outputs["SessionsTableName"]]

        described = [stack.client("dynamodb").list_tables()["TableNames"] for stack in (one, two)]

    assert names[0].startswith("one-")
    assert names[1].startswith("two-")
    assert names[0] in described[0]
    assert names[0] not in described[1]


def test_it_settles_only_when_the_projector_has_seen_the_stream_however_long_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.local_aws.stack._QUIET_SECONDS", 0.0)
    login = LoginEvent(event_id="e", occurred_at=datetime.now(UTC), customer_id="c-1", session_id="s-1")

    with LocalStack("settles") as stack:
        dynamodb = stack.client("dynamodb")
        SessionTable(dynamodb, stack.outputs["SessionsTableName"], batch_statements=False).create_session(login)
        stack.settle()
        activity = ProjectionTable(dynamodb, stack.outputs["ProjectionsTableName"]).get_customer_activity("c-1")

    assert activity.session_count == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_it_leaves_nothing_running(tmp_path: Path, how: signal.Signals) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "ops.sessionctl", "local", "--name", f"ended-{how.value}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:  # noqa: S603 # ours
        assert process.stdout is not None
        printed = ""
        while "as they come" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        [endpoint] = [line.split()[1] for line in printed.splitlines() if line.strip().startswith("Endpoint")]
        port = endpoint.rpartition(":")[2]

        process.send_signal(how)
        process.wait(UNTIL_HUNG)

    hangs_after = time.monotonic() + UNTIL_HUNG
    while any(f"GATEWAY_PORT={port} " in _environment_of(line) for line in processes_with("python")):
        assert time.monotonic() < hangs_after, "a server outlived what started it"
        time.sleep(0.2)
