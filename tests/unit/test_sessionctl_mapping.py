"""`sessionctl mapping test`: what a mapping makes of an event, without any stack."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.sessionctl.app import app

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "providers" / "mappings"
SAMPLES = ROOT / "tests" / "events" / "providers"


def run(mapping: Path | str, sample: str, *options: str, text: str | None = None) -> tuple[int, str, str]:
    event = "-" if text is not None else str(SAMPLES / sample)
    result = CliRunner().invoke(app, ["mapping", "test", str(mapping), event, *options], input=text)
    return result.exit_code, result.stdout, result.stderr


def test_an_event_is_shown_as_the_canonical_one() -> None:
    code, out, _ = run(MAPPINGS / "okta.toml", "okta/login-eventbridge.json")

    shown = json.loads(out)
    assert code == 0
    assert (shown["outcome"], shown["event"]["customer_id"], shown["event"]["source"]) == ("read", "00uAda", "okta")


def test_every_event_of_a_message_is_shown_and_one_that_is_rejected_ends_with_1() -> None:
    code, out, _ = run(MAPPINGS / "auth0.toml", "auth0/array.json", "--json")

    assert code == 1
    assert [document["outcome"] for document in json.loads(out)] == ["read", "ignored", "rejected"]


def test_standard_input_is_read_as_well() -> None:
    text = (SAMPLES / "okta" / "logout.json").read_text()

    code, out, _ = run(MAPPINGS / "okta.toml", "", text=text)

    assert (code, json.loads(out)["event"]["event_type"]) == (0, "logout")


def test_a_mapping_that_recognises_nothing_says_so() -> None:
    code, _, err = run(MAPPINGS / "okta.toml", "auth0/logout.json")

    assert code == 1
    assert "The mapping of okta recognises nothing here" in err


def test_a_mapping_that_takes_what_another_takes_is_found(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text((MAPPINGS / "auth0.toml").read_text().replace('provider = "auth0"', 'provider = "mine"'))

    code, out, _ = run(mine, "auth0/logout.json")

    assert code == 1
    assert "both recognise this event" in json.loads(out)["reason"]


@pytest.mark.parametrize(("text", "line"), [("provider = ", 1), ('provider = "x"\ntype = "a["', 2)])
def test_a_wrong_file_is_one_line_with_its_place(tmp_path: Path, text: str, line: int) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text)

    code, _, err = run(wrong, "auth0/logout.json")

    assert code == 2
    assert f"wrong.toml:{line}: " in err


def several(*arguments: str, columns: int | None = None) -> tuple[int, str, str]:
    env = {"COLUMNS": str(columns) if columns else None}
    result = CliRunner().invoke(app, ["mapping", *arguments], env=env)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("provider", sorted(path.stem for path in MAPPINGS.glob("*.toml")))
def test_every_bundled_mapping_reads_its_samples_as_expected(provider: str) -> None:
    code, out, _ = several("test", str(MAPPINGS / f"{provider}.toml"), str(SAMPLES / provider), columns=60)

    assert (code, "Wrong" in out, "No rule matched" in out) == (0, False, False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples = tmp_path / "samples"
    samples.mkdir()
    for name in ("okta/logout", "okta/admin-app", "okta/clear-of-nobody", "auth0/logout", "teleport/session-start"):
        (samples / f"{name.replace('/', '-')}.json").write_text((SAMPLES / f"{name}.json").read_text())
    return samples


def test_a_folder_is_a_table_and_what_is_wrong_or_unmatched_is_named(folder: Path) -> None:
    code, out, _ = several("test", str(MAPPINGS / "okta.toml"), str(folder))

    heading = next(line for line in out.splitlines() if "Sample" in line)
    assert code == 1
    assert heading.split() == ["Sample", "Outcome", "Type", "Customer", "Session", "Parent", "Reason"]
    assert "okta-logout" in out
    assert "Wrong:\n  okta-clear-of-nobody: okta user.session.clear: customer_id is missing" in out
    assert (
        "  okta-admin-app: no rule is for type 'user.session.access_admin_app', and `ignored` does not list it" in out
    )
    assert "  auth0-logout: okta does not recognise it: it is of auth0" in out


@pytest.mark.parametrize(
    ("columns", "headings"),
    [
        (60, ["Sample", "Outcome", "Type"]),
        (100, ["Sample", "Outcome", "Type", "Customer"]),
        (160, ["Sample", "Outcome", "Type", "Customer", "Session"]),
        (None, ["Sample", "Outcome", "Type", "Customer", "Session", "Parent", "Reason"]),
    ],
)
def test_columns_are_left_out_where_the_terminal_is_narrow_and_ids_are_never_cut(
    folder: Path, columns: int | None, headings: list[str]
) -> None:
    _, out, _ = several("test", str(MAPPINGS / "okta.toml"), str(folder), columns=columns)

    table = out.splitlines()[: out.splitlines().index("Wrong:")]
    shown = next(line for line in table if "Sample" in line).split()
    assert shown[: len(headings)] == headings or shown == headings[: len(shown)]
    assert columns is None or max(map(len, table)) <= columns
    assert "user.session.access_admin_app" in "\n".join(table) or "Type" not in shown


def test_a_folder_as_json_has_each_event_with_its_verdict(folder: Path) -> None:
    code, out, _ = several("test", str(MAPPINGS / "okta.toml"), str(folder), "--json")

    verdicts = {document["sample"]: document["verdict"] for document in json.loads(out)}
    assert code == 1
    assert verdicts == {
        "okta-logout": "right",
        "okta-admin-app": "unmatched",
        "okta-clear-of-nobody": "wrong",
        "auth0-logout": "unmatched",
        "teleport-session-start": "unmatched",
    }


def test_a_sample_that_is_not_as_expected_is_wrong(folder: Path) -> None:
    for path in folder.glob("*.json"):
        if path.stem != "okta-logout":
            path.unlink()
    expected = {"outcome": "applied", "event": {"event_type": "logout", "customer_id": "00uEve"}}
    (folder / "okta-logout.expected.json").write_text(json.dumps(expected))

    code, out, _ = several("test", str(MAPPINGS / "okta.toml"), str(folder))

    assert code == 1
    assert "Wrong:\n  okta-logout: expected: logout 00uEve\n" in out


def test_a_type_that_the_mapping_lists_as_ignored_is_right(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "okta.toml"
    text = (MAPPINGS / "okta.toml").read_text()
    mine.write_text(
        text.replace('type = "eventType"', 'type = "eventType"\nignored = ["user.session.access_admin_app"]')
    )

    _, out, _ = several("test", str(mine), str(folder))

    assert "no rule is for" not in out


def test_a_folder_without_samples_is_said(tmp_path: Path) -> None:
    code, _, err = several("test", str(MAPPINGS / "okta.toml"), str(tmp_path))

    assert code == 2
    assert "no samples (*.json, *.jsonl) in" in err


def test_coverage_names_the_types_without_a_sample(folder: Path) -> None:
    code, out, _ = several("coverage", "okta", "--samples", str(folder), "--json")

    [found] = json.loads(out)
    assert code == 0
    assert (found["provider"], found["known"]) == ("okta", 6)
    assert "user.session.start" in found["without_sample"]
    assert "user.session.end" not in found["without_sample"]
    assert found["not_named"] == ["user.session.access_admin_app"]


def test_coverage_of_all_mappings_is_a_line_each() -> None:
    code, out, _ = several("coverage")

    assert code == 0
    assert len(out.splitlines()) == len(list(MAPPINGS.glob("*.toml")))
    assert re.search(r"^auth0: \d+ of \d+ types have a sample", out, re.MULTILINE)
    assert "oidc_logout: its rules name no types" in out


def test_coverage_of_what_is_no_mapping_is_refused() -> None:
    code, _, err = several("coverage", "nobody")

    assert code == 2
    assert "nobody is neither a mapping file (.toml) nor one of" in err
