"""Filter criteria of event source mappings."""

import json
from typing import Any

import pytest

from ops.validation.filters import FilterCriteria, FilterPatternError, parse_body

RECORD = {
    "eventName": "INSERT",
    "dynamodb": {
        "Keys": {"PK": {"S": "c#1"}},
        "NewImage": {"state": {"S": "active"}, "n": {"N": "5"}},
        "SizeBytes": 26,
    },
}


def accepts(pattern: Any, record: dict[str, Any] | None = None) -> bool:
    return FilterCriteria([json.dumps(pattern)]).accept(RECORD if record is None else record)


@pytest.mark.parametrize(
    "pattern",
    [
        {"eventName": ["MODIFY", "INSERT"]},
        {"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "c#"}]}}}},
        {"dynamodb": {"Keys": {"PK": {"S": [{"suffix": "#1"}]}}}},
        {"eventName": [{"anything-but": ["REMOVE"]}]},
        {"eventName": [{"anything-but": {"prefix": "REM"}}]},
        {"eventName": [{"equals-ignore-case": "insert"}]},
        {"dynamodb": {"NewImage": {"state": {"S": [{"exists": True}]}}}},
        {"dynamodb": {"OldImage": {"state": {"S": [{"exists": False}]}}}},
        {"dynamodb": {"SizeBytes": [{"numeric": [">", 20, "<=", 26]}]}},
        {"$or": [{"eventName": ["REMOVE"]}, {"dynamodb": {"NewImage": {"state": {"S": ["active"]}}}}]},
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"N": ["5"]}}}},
    ],
)
def test_a_record_passes_that_matches_the_pattern(pattern: Any) -> None:
    assert accepts(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        {"eventName": ["MODIFY"]},
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"state": {"S": ["closing"]}}}},
        {"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "s#"}]}}}},
        {"eventName": [{"anything-but": ["INSERT"]}]},
        {"dynamodb": {"OldImage": {"state": {"S": [{"exists": True}]}}}},
        {"dynamodb": {"SizeBytes": [{"numeric": ["<", 26]}]}},
        {"dynamodb": {"OldImage": {"state": {"S": [{"anything-but": ["x"]}]}}}},
    ],
)
def test_a_record_is_dropped_that_does_not_match_the_pattern(pattern: Any) -> None:
    assert not accepts(pattern)


def test_numbers_of_an_item_are_text_so_that_numeric_never_matches_them() -> None:
    assert not accepts({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 1]}]}}}})


def test_a_record_passes_that_matches_one_of_several_filters() -> None:
    criteria = FilterCriteria(['{"eventName": ["REMOVE"]}', '{"eventName": ["INSERT"]}'])

    assert criteria.accept(RECORD)


def test_without_filters_every_record_passes() -> None:
    assert FilterCriteria().accept({})


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ({"a": [{"starts-with": "x"}]}, "unknown operator 'starts-with'; known here: anything-but, cidr"),
        ({"$or": [{"a": {"b": [{"regex": "x"}]}}]}, "unknown operator 'regex'"),
        ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "unknown operator 'numeric'"),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, "one operator is needed"),
        ({"a": [{"numeric": [">"]}]}, "numeric takes comparison and number in turn"),
        ({"a": [{"numeric": ["~", 1]}]}, "numeric takes comparison and number in turn"),
        ({"a": [["x"]]}, "a list inside a list"),
        ({"a": "x"}, "'a' must be an object or an array"),
        ({"a": []}, "Empty arrays are not allowed"),
        (["x"], "an object is needed"),
    ],
)
def test_a_pattern_that_is_not_understood_is_an_error_that_names_it(pattern: Any, message: str) -> None:
    with pytest.raises(FilterPatternError, match=message):
        FilterCriteria([json.dumps(pattern)])


def test_a_pattern_that_is_not_json_is_an_error() -> None:
    with pytest.raises(FilterPatternError, match=r"filter pattern \{: "):
        FilterCriteria(["{"])


@pytest.mark.parametrize(
    ("pattern", "body", "passes"),
    [
        ({"body": {"kind": ["a"]}}, '{"kind": "a"}', True),
        ({"body": {"kind": ["a"]}}, "a", False),
        ({"body": ["a"]}, "a", True),
        ({"body": ["a"]}, '{"a": 1}', False),
        ({"eventSource": ["aws:sqs"]}, "a", True),
    ],
)
def test_a_pattern_for_an_sqs_body_needs_a_body_of_its_own_form(pattern: Any, body: str, passes: bool) -> None:
    record = parse_body({"eventSource": "aws:sqs", "body": body})

    assert accepts(pattern, record) is passes
