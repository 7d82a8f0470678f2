"""What the shell offers after Tab: in bounded time, and silent where something fails."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ops.sessionctl import completion
from ops.sessionctl.running_stack import announcing
from processors.stream_projector import lambda_handler as project
from tests.conftest import Backend, login
from tests.deployed_stack import NAME, deploy
from tests.deployed_stack import on_moto_alone as pytest_generate_tests  # noqa: F401 # pytest calls it


@pytest.fixture
def stack(backend: Backend) -> Backend:
    deploy(backend)
    backend.sessions.apply([login("s-1", "one"), login("s-#2", "two"), login("tab", "one", parent_session_id="s-1")])
    project({"Records": backend.stream_records()}, None)
    return backend


def context(**params: Any) -> Any:
    return SimpleNamespace(params=params)


def test_ids_are_offered_as_people_write_them(stack: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_SECONDS", 60)
    where = context(stack_name=NAME)

    assert completion.complete_session(where, "s-") == ["s-#2", "s-1"]
    assert completion.complete_session(where, "s-#") == ["s-#2"]
    assert completion.complete_session(where, "t") == ["tab"]
    assert completion.complete_customer(where, "") == ["one", "two"]
    assert completion.complete_customer(where, "tw") == ["two"]


def test_stacks_of_this_project_are_offered(stack: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_SECONDS", 60)
    assert completion.complete_stack(context(), "p") == [NAME]
    assert completion.complete_stack(context(), "x") == []


def test_local_stacks_that_run_are_offered(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    with announcing("first"):
        (tmp_path / "session-event-processor" / "local-stacks" / "killed.json").write_text("{}")
        assert completion.complete_local_stack("") == ["first"]


def test_where_something_fails_nothing_is_offered_and_nothing_said(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert completion.complete_session(context(), "s") == []
    assert capsys.readouterr() == ("", "")


def test_a_person_who_types_never_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_SECONDS", 0.05)
    answered = threading.Event()

    def hang(*_: object) -> Iterator[str]:
        if answered.wait(60):
            yield "late"

    monkeypatch.setattr(completion, "_stacks", hang)
    began = time.monotonic()

    assert completion.complete_stack(context(), "") == []
    assert time.monotonic() - began < 30
    answered.set()


@pytest.mark.slow
def test_a_shell_is_answered(tmp_path: Any) -> None:
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path),
        "_SESSIONCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": "sessionctl rev",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-m", "ops.sessionctl"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 # ours

    assert done.stdout.split() == ["revoke"]
    assert done.stderr == ""
