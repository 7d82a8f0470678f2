"""Ids at their limits, with and without the namespace that is put before them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.ids import Id, NamespacedId

PLAIN, NAMESPACED = TypeAdapter[str](Id), TypeAdapter[str](NamespacedId)
TOO_LONG = "should have at most 256 characters, a namespace not counted"
TOO_MANY_BYTES = "is longer than 1,000 bytes once percent-encoded"


@pytest.mark.parametrize("identifier", ["x", "x" * 256, "a:b:x", "é" * 166 + "abcd"])
def test_an_id_without_namespace_is_taken_by_both(identifier: str) -> None:
    assert PLAIN.validate_python(identifier) == NAMESPACED.validate_python(identifier) == identifier


@pytest.mark.parametrize(
    "identifier",
    ["auth0:tenant:" + "x" * 256, "a::" + "x" * 256, f"a:{'t' * 741}:{'x' * 256}"],
    ids=["with tenant", "without tenant", "1,000 bytes"],
)
def test_a_namespace_is_not_counted(identifier: str) -> None:
    assert NAMESPACED.validate_python(identifier) == identifier
    with pytest.raises(ValidationError):
        PLAIN.validate_python(identifier)


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("x" * 257, TOO_LONG),
        ("auth0:tenant:" + "x" * 257, TOO_LONG),
        (":tenant:" + "x" * 256, TOO_LONG),
        (f"a:{'t' * 742}:{'x' * 256}", TOO_MANY_BYTES),
        ("é" * 166 + "abcde", TOO_MANY_BYTES),
        ("<text, 5>", "is the masked form of a value in a rejected event; publish the original event instead"),
    ],
    ids=["no namespace", "one more", "no provider", "1,001 bytes", "1,001 bytes of UTF-8", "masked"],
)
def test_an_id_beyond_its_limits_says_which(identifier: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NAMESPACED.validate_python(identifier)

    assert [problem["msg"] for problem in caught.value.errors()] == [f"Value error, {reason}"]
