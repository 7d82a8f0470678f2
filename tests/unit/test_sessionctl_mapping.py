"""`sessionctl mapping test`: what a mapping makes of an event, without any stack."""

import json
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
