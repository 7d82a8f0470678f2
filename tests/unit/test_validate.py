"""Mistakes in the `Events:` of SAM functions: found in what is deployed, though linters of the source miss them."""

import re
from pathlib import Path

import pytest
from cfnlint.api import lint

from ops.validation.checks import ALL_ON, findings
from ops.validation.resolution import resolved
from ops.validation.translation import TEMPLATE_PATH, load_template, translate

ROOT = TEMPLATE_PATH.parent
pytestmark = pytest.mark.slow

_RESPONSES = "FunctionResponseTypes: [ReportBatchItemFailures]\n            # Not"
_WINDOW = f"MaximumBatchingWindowInSeconds: 1\n            {_RESPONSES}"

PLANTED = {
    "a misspelt property": (
        "BisectBatchOnFunctionError: true",
        "BisectBatchOnError: true",
        "property BisectBatchOnError not defined",
    ),
    "text for a number": ("BatchSize: 200", "BatchSize: two hundred", "Type of property 'BatchSize' is invalid"),
    "a response type that does not exist": (
        _RESPONSES,
        _RESPONSES.replace("Failures", "Failure"),
        "E3030 .*'ReportBatchItemFailure' is not one of",
    ),
    "a filter that is not JSON": (
        """'{"eventName": ["INSERT", "MODIFY"]}'""",
        "'{eventName: [INSERT, MODIFY]}'",
        r"SessionsStream.FilterCriteria.Filters\[0\]: filter pattern",
    ),
    "a queue's URL for its ARN": (
        "Queue: !GetAtt SessionEventsQueue.Arn",
        "Queue: !Ref SessionEventsQueue",
        "SqsConsumerFunctionSessionEvents: the event source is to be a queue's Arn",
    ),
    "a table's ARN for its stream's": (
        "Stream: !GetAtt SessionsTable.StreamArn",
        "Stream: !GetAtt SessionsTable.Arn",
        "StreamProjectorFunctionSessionsStream: the event source is to be .* a table's StreamArn",
    ),
    "a filter for one value without its list": (
        """'{"eventName": ["INSERT", "MODIFY"]}'""",
        """'{"eventName": "INSERT"}'""",
        r"SessionsStream.FilterCriteria.Filters\[0\]: filter pattern",
    ),
    "a large batch without a window": (
        _WINDOW,
        _RESPONSES,
        "a BatchSize above 10 needs MaximumBatchingWindowInSeconds",
    ),
    "a property of streams at a queue": (
        "ScalingConfig: {MaximumConcurrency: 50}",
        "MaximumRetryAttempts: 3",
        "MaximumRetryAttempts",
    ),
    "a rule's pattern without a list": (
        "Pattern:\n              detail-type: [Login, Logout, LogoutAll]",
        "Pattern:\n              detail-type: Login",
        "EventBridgeConsumerFunctionAuthEvents.EventPattern: filter pattern",
    ),
    "a dead-letter queue's URL for its ARN": (
        "DeadLetterConfig:\n              Arn: !GetAtt DirectDeadLetterQueue.Arn",
        "DeadLetterConfig:\n              Arn: !Ref DirectDeadLetterQueue",
        r"AuthEvents.Targets\[0\].DeadLetterConfig.Arn: an ARN belongs here",
    ),
    "a destination that is misspelt": (
        "Destination: !GetAtt FailedBatchesBucket.Arn",
        "Destinations: !GetAtt FailedBatchesBucket.Arn",
        "Destinations",
    ),
}


def test_nothing_is_found_in_the_template() -> None:
    assert findings() == []


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_found(mistake: str, tmp_path: Path) -> None:
    right, wrong, message = PLANTED[mistake]
    source = TEMPLATE_PATH.read_text()
    template = tmp_path / "template.yaml"
    template.write_text(source.replace(right, wrong, 1))

    found = "\n".join(findings(template))

    assert right in source
    assert re.search(message, found), found


def test_the_linter_of_the_source_misses_all_of_them() -> None:
    source = TEMPLATE_PATH.read_text()
    for right, wrong, _ in PLANTED.values():
        source = source.replace(right, wrong, 1)

    assert sum(wrong in source for _, wrong, _ in PLANTED.values()) >= len(PLANTED) - 1, "two are at one place"
    assert lint(source) == []


def test_every_resource_exists_in_what_is_checked() -> None:
    assert set(translate(parameters=ALL_ON)["Resources"]) == set(resolved(ALL_ON))


def test_every_exception_from_checkov_has_its_reason_beside_it() -> None:
    lines = (ROOT / ".checkov.yaml").read_text(encoding="utf-8").splitlines()
    skipped = [number for number, line in enumerate(lines) if line.strip().startswith("- CKV")]
    of_resources = [
        exception
        for resource in load_template()["Resources"].values()
        for exception in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]

    assert all(lines[number - 1].strip().startswith("# ") for number in skipped)
    assert len(skipped) == len({lines[number].strip() for number in skipped}) > 0
    assert all(len(exception["comment"]) > 20 for exception in of_resources)
