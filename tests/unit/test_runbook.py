"""The runbook has a section for whatever rings."""

import re
from pathlib import Path

from ops.validation.translation import load_template

RUNBOOK = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def test_each_alarm_names_a_section_of_the_runbook_that_is_there() -> None:
    alarms = {
        name: " ".join(resource["Properties"]["AlarmDescription"].split())
        for name, resource in load_template()["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    named = {name: re.search(r"docs/operations\.md, (.+?)\.$", text) for name, text in alarms.items()}

    assert len(alarms) > 20
    assert {name for name, found in named.items() if found is None or found[1] not in SECTIONS} == set()


def test_each_section_says_when_to_stop_worrying_or_how_to_see_that_all_is_well() -> None:
    assert {name for name, text in SECTIONS.items() if "Stop worrying" not in text} == {"No logins"}


def test_links_within_the_runbook_lead_somewhere() -> None:
    anchors = {re.sub(r"[^a-z0-9 -]", "", name.lower()).replace(" ", "-") for name in SECTIONS}

    assert set(re.findall(r"\]\(#([a-z0-9-]+)\)", RUNBOOK)) <= anchors
