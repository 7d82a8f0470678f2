"""Expressions are evaluated without jmespath's visitor: whatever the value, the result is what jmespath gives."""

import json
from typing import Any

import jmespath  # type: ignore[import-untyped] # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped] # it ships no types
from pydantic import BaseModel

from providers.evaluation import is_false
from providers.expressions import Expression
from providers.mapping_files import read_mapping_file
from providers.mapping_functions import OPTIONS
from providers.provider_mappings import DIRECTORY
from tests.provider_samples import provider_samples
from tests.unit.test_provider_mappings import objects_in

MORE = [
    "a",
    "a.b.c",
    '"a b"."c"',
    "@",
    "a[0]",
    "a[-1].b",
    "a[5]",
    "a[*].b",
    "a[].b",
    "a[1:].b",
    "a.*.b",
    "a[?b == `1`].c",
    "a[?b]",
    "a[?b > `1`] | [0]",
    "a == b",
    "a != b",
    "a < b",
    "a == `true`",
    "a == `1`",
    "a || b || 'x'",
    "a && b",
    "!a",
    "!(a.b)",
    "{x: a, y: b.c}",
    "[a, b.c]",
    "a | b",
    "map(&b, a)",
    "a[].not_null(b, @)",
    "sort_by(a, &b)",
    "length(a)",
    "starts_with(a, 'x')",
    "contains(a, b)",
    "to_string(a)",
    "keys(a)",
    "join('/', a)",
    "type(a)",
    "parse_json(a)",
    "member(a, b)",
    "capture(a, 'x(.)')",
]


def expressions_of_mappings() -> list[str]:
    found: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, Expression):
            found.append(value.text)
        elif isinstance(value, tuple | list):
            for member in value:
                collect(member)
        elif isinstance(value, BaseModel):
            for _, member in value:
                collect(member)

    for path in sorted(DIRECTORY.glob("*.toml")):
        collect(read_mapping_file(path))
    return sorted(set(found))


EXPRESSIONS = expressions_of_mappings()
SAMPLES = [event for sample in provider_samples() for event, _ in objects_in(sample.content)]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, 1.0, 1.5, "", "x", "xy", "a", "b", '{"a": 1}', "{"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "a b"]), inner),
    max_leaves=10,
)


def by_jmespath(text: str, value: object) -> Any:
    try:
        return jmespath.compile(text).search(value, OPTIONS)
    except (JMESPathError, TypeError):
        return None


def alike(one: Any, other: Any) -> bool:
    """Equal in type, too: `1` is not `true`."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def test_there_are_expressions() -> None:
    assert len(EXPRESSIONS) > 150


@pytest.mark.slow
@pytest.mark.parametrize("text", MORE)
@given(value=st.dictionaries(st.sampled_from(["a", "b", "c", "a b"]), VALUES) | VALUES)
def test_an_expression_gives_what_jmespath_gives(text: str, value: Any) -> None:
    assert alike(Expression(text).search(value), by_jmespath(text, value))


@pytest.mark.slow
def test_every_expression_of_a_mapping_gives_what_jmespath_gives_for_every_sample() -> None:
    wrong = [
        (text, event)
        for text, expression in ((text, Expression(text)) for text in EXPRESSIONS)
        for event in SAMPLES
        if not alike(expression.search(event), by_jmespath(text, event))
    ]

    assert wrong == []


@given(VALUES)
def test_what_is_false_is_what_jmespath_takes_for_false(value: Any) -> None:
    assert is_false(value) is (by_jmespath("@ || 'it is false'", value) == "it is false")
