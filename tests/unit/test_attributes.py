"""Attributes of items that others may have written: lenient readers take them as absent, strict ones refuse."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.attributes import number, require_number, require_text, require_time, text, time
from schemas.errors import MalformedItemError

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOOD = [
    (text, require_text, {"S": "x"}, "x"),
    (text, require_text, {"S": ""}, ""),
    (number, require_number, {"N": "-12"}, -12),
    (number, require_number, {"N": "0"}, 0),
    (time, require_time, {"S": "2026-03-01T12:00:00Z"}, NOON),
    (time, require_time, {"S": "2026-03-01T12:00:00"}, NOON),
    (time, require_time, {"S": "2026-03-01T14:00:00.000999+02:00"}, NOON),
]
READERS = [(text, require_text, "string"), (number, require_number, "whole number"), (time, require_time, "time")]
BAD: list[Any] = [
    None,
    "x",
    5,
    [],
    {},
    {"S": None},
    {"S": 5},
    {"N": None},
    {"N": 5},
    {"N": "1.5"},
    {"N": "x"},
    {"BOOL": True},
]


@pytest.mark.parametrize(("read", "require", "stored", "expected"), GOOD)
def test_an_attribute_of_our_type_is_read_by_both(
    read: Callable[..., Any], require: Callable[..., Any], stored: dict[str, str], expected: object
) -> None:
    assert read({"a": stored}, "a") == require({"a": stored}, "a") == expected


@pytest.mark.parametrize(("read", "require", "kind"), READERS)
@pytest.mark.parametrize("stored", BAD, ids=repr)
def test_one_of_another_type_is_absent_or_refused_by_name(
    read: Callable[..., Any], require: Callable[..., Any], kind: str, stored: Any
) -> None:
    assert read({"a": stored}, "a") is None
    with pytest.raises(MalformedItemError, match=rf"^the {kind}.* a is missing$"):
        require({"a": stored}, "a")


@pytest.mark.parametrize(("read", "require", "kind"), READERS)
def test_one_that_is_not_there_is_absent_or_refused(
    read: Callable[..., Any], require: Callable[..., Any], kind: str
) -> None:
    assert read({}, "a") is None
    with pytest.raises(MalformedItemError, match=rf"^the {kind}.* a is missing$"):
        require({}, "a")


@pytest.mark.parametrize("stored", ["soon", "12:00", "2026-13-01T12:00:00Z", "9999-12-31T23:59:59-12:00"])
def test_a_text_that_is_not_a_time_is_absent_or_refused(stored: str) -> None:
    assert time({"a": {"S": stored}}, "a") is None
    with pytest.raises(MalformedItemError, match=r"^the time a is missing$"):
        require_time({"a": {"S": stored}}, "a")
