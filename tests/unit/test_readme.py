"""What the README shows is true: its commands exist, its samples are accepted, its code runs."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.validation.translation import load_template
from schemas.events import Client, LoginEvent, parse_event
from schemas.outcomes import Outcome
from tests.conftest import Backend

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found, f"no block of kind {kind}"
    return found


@pytest.mark.parametrize("sample", blocks("json event"))
def test_its_sample_events_are_accepted(sample: str) -> None:
    assert parse_event(json.loads(sample)) is not None


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README)) | {"run", "test"}))
def test_its_make_targets_exist(target: str) -> None:
    result = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607 # a target of ours

    assert result.returncode == 0, result.stderr


def test_its_first_commands_are_the_front_door() -> None:
    assert blocks("bash")[0].split("\n")[:2] == ["make run", "make test"]


def test_its_code_runs(backend: Backend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    backend.sessions.create_session(
        LoginEvent(
            event_id="e1",
            occurred_at=now,
            customer_id="customer-1001",
            session_id="session-a1",
            client=Client(ip="192.0.2.10"),
        )
    )
    [code] = blocks("python sample")
    monkeypatch.setenv("SESSIONS_TABLE", backend.sessions_table)
    monkeypatch.setenv("PROJECTIONS_TABLE", backend.projections_table)

    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 # the README's own code

    expiry = (now + timedelta(hours=12)).replace(microsecond=0)
    assert capsys.readouterr().out.splitlines() == ["0 None True", f"session-a1 192.0.2.10 {expiry}"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    links = re.findall(r"\]\((?!http)([^)#]+)", text) + re.findall(r'src="(?!http)([^"]+)"', text)

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_it_is_read_in_five_minutes() -> None:
    assert len(README.splitlines()) <= 150


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in ROOT.glob("docs/*.md") if page.name != "README.md" and page.name not in index] == []


def test_the_glossary_fits_on_a_screen() -> None:
    [glossary] = re.findall(r"## Glossary\n(.*)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"), re.DOTALL)

    assert len(glossary.strip().splitlines()) <= 15


def test_the_documentation_names_every_outcome_and_setting() -> None:
    documentation = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = [f"`{outcome}`" for outcome in Outcome]
    settings = re.findall(r'"([A-Z]+_[A-Z_]+)"', (ROOT / "processors" / "runtime" / "settings.py").read_text())

    assert [name for name in names + settings if name not in documentation] == []


def test_every_parameter_is_said_in_the_template_and_in_the_documentation() -> None:
    pages = [page.read_text(encoding="utf-8") for page in PAGES if page.name not in ("CHANGELOG.md", "decisions.md")]
    parameters = load_template()["Parameters"]

    assert [name for name, parameter in parameters.items() if not parameter.get("Description")] == []
    assert [name for name in parameters if not any(re.search(rf"\b{name}\b", page) for page in pages)] == []
