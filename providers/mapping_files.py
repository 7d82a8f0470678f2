"""Mapping files: how the events of one identity system are recognised and read, as data. The format, and its checks.

A file is TOML and its expressions are JMESPath; `docs/providers.md` says how to write one. What is wrong with a file is
said with its line. Sources: TOML 1.0; the JMESPath specification.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import jmespath  # type: ignore[import-untyped] # it ships no types
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped] # it ships no types
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from providers.mapping_functions import OPTIONS, arity_of


class MappingError(ValueError):
    """A mapping file is wrong; the message names the file, the line, and what to do."""


class Expression:
    """A JMESPath expression, compiled.

    Args:
        text: The expression.

    Raises:
        ValueError: It is none, or calls a function that is not there.
    """

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise ValueError(f"is no JMESPath expression: {' '.join(str(error).split())}") from None
        _check_calls(self._compiled.parsed)
        self.text = " ".join(text.split())

    def search(self, value: object) -> Any:
        """Evaluate it; where it makes no sense for this value, the result is None, as for what is not there."""
        try:
            return self._compiled.search(value, OPTIONS)
        except JMESPathError:
            return None

    def holds(self, value: object) -> bool:
        """Evaluate it as a condition, with JMESPath's idea of truth: zero is true, what is empty is not."""
        result = self.search(value)
        return not (result is None or result is False or result in ("", [], {}))


def _check_calls(node: Any) -> None:
    if not isinstance(node, dict):
        return
    children = node["children"]
    if node["type"] == "subexpression" and children[0]["type"] == "not_expression":
        raise ValueError("says !a.b, which JMESPath takes for (!a).b: write !(a.b)")
    if node["type"] == "function_expression":
        name = node["value"]
        arity = arity_of(name)
        if arity is None:
            raise ValueError(f"calls {name}(), which is no function of JMESPath or of ours")
        least, takes_more = arity
        if len(children) < least or (len(children) > least and not takes_more):
            raise ValueError(f"calls {name}() with {len(children)} arguments; it takes {least}")
        if name == "capture" and children[1]["type"] == "literal":
            _check_pattern(children[1]["value"])
    for child in children:
        _check_calls(child)


def _check_pattern(pattern: object) -> None:
    try:
        re.compile(str(pattern))
    except re.error as error:
        raise ValueError(f"calls capture() with a pattern that is no regular expression: {error}") from None


def _one_expression(value: object) -> object:
    if isinstance(value, str):
        return Expression(value)
    raise ValueError("must be a text with a JMESPath expression")


def _expressions(value: object) -> object:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return tuple(Expression(text) for text in texts)
    raise ValueError("must be a text with a JMESPath expression, or a list of them of which the first present counts")


Condition: TypeAlias = Annotated[Expression, BeforeValidator(_one_expression)]
Paths: TypeAlias = Annotated[tuple[Expression, ...], BeforeValidator(_expressions)]
"""Where a value is; the first that is present counts."""

_STRICT = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Recognition(BaseModel):
    """One way to recognise an event of the system; all that is named has to hold.

    Attributes:
        source: The EventBridge event's `source`, or with a slash at the end, how it begins.
        has: Members that the event has, whatever their value. Cheap, and so asked first.
        when: A condition on the event.
    """

    model_config = _STRICT

    source: str | None = None
    has: tuple[str, ...] = ()
    when: Condition | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Recognition":
        if self.source is None and not self.has and self.when is None:
            raise ValueError("needs a source, members (has), or a condition (when)")
        return self

    def holds(self, event: dict[str, Any], source: object) -> bool:
        """Whether an event is recognised.

        Args:
            event: The event.
            source: The `source` of the EventBridge event around it, if any.
        """
        return (
            (self.source is None or self._is_from(source))
            and all(name in event for name in self.has)
            and (self.when is None or self.when.holds(event))
        )

    def _is_from(self, source: object) -> bool:
        if not isinstance(source, str) or self.source is None:
            return False
        return source.startswith(self.source) if self.source.endswith("/") else source == self.source


class ClientPaths(BaseModel):
    """Where to find from where a login came."""

    model_config = _STRICT

    ip: Paths | None = None
    user_agent: Paths | None = None
    device_id: Paths | None = None
    country: Paths | None = None


class FieldPaths(BaseModel):
    """Where to find the canonical fields."""

    model_config = _STRICT

    event_id: Paths | None = None
    occurred_at: Paths | None = None
    customer_id: Paths | None = None
    session_id: Paths | None = None
    parent_session_id: Paths | None = None
    except_session_id: Paths | None = None
    expires_at: Paths | None = None
    reason: Paths | None = None
    client: ClientPaths = ClientPaths()

    def overridden_by(self, other: "FieldPaths") -> "FieldPaths":
        """Give the paths with those of `other` in place of these; an empty list there means "nowhere"."""
        own = {name: value for name, value in other if name in FieldPaths.model_fields and value is not None}
        client = {name: value for name, value in other.client if value is not None}
        return FieldPaths.model_construct(**{**dict(self), **own, "client": self.client.model_copy(update=client)})


class Rule(FieldPaths):
    """What events of some types are. The first rule that applies counts; where none does, the event is ignored.

    Attributes:
        is_: What they are; a logout that names no session is a logout of everything.
        types: Their types, exactly; None for any.
        when: What else must hold; where it does not, the next rule is asked.
        because: Why they are rejected.
    """

    is_: Literal["login", "logout", "logout_all", "rejected"] = Field(alias="is")
    types: tuple[str, ...] | None = Field(None, min_length=1)
    when: Condition | None = None
    because: str | None = None

    @model_validator(mode="after")
    def _gives_a_reason_where_it_rejects(self) -> "Rule":
        if (self.is_ == "rejected") != (self.because is not None):
            raise ValueError("`because` says why events are rejected: with is = 'rejected', and only there")
        return self


class MappingFile(BaseModel):
    """A mapping file, read and checked.

    Attributes:
        provider: The identity system: `source` of its events.
        recognise: Ways to recognise its events; one suffices.
        view: Gives the event another form, on which all expressions below work; None leaves it as it is.
        type: Where its type is.
        fields: Where the canonical fields are, for all rules.
        events: The rules.
    """

    model_config = _STRICT

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    recognise: tuple[Recognition, ...] = Field(min_length=1)
    view: Condition | None = None
    type: Paths
    fields: FieldPaths = FieldPaths()
    events: tuple[Rule, ...] = Field(min_length=1)


def read_mapping_file(file: Path) -> MappingFile:
    """Read and check a mapping file.

    Raises:
        MappingError: It cannot be read or is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{file}: cannot be read: {error}") from None
    return parse_mapping(text, name=str(file))


def parse_mapping(text: str, *, name: str) -> MappingFile:
    """Check the text of a mapping file.

    Args:
        text: The text.
        name: What messages call it.

    Raises:
        MappingError: It is wrong; every problem has a line of its own.
    """
    try:
        return MappingFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{name}:{_line_in(str(error), text)}: no TOML: {error}") from None
    except ValidationError as error:
        problems = [
            f"{name}:{line_of(problem['loc'], text)}: {'.'.join(str(part) for part in problem['loc'])}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise MappingError("\n".join(problems)) from None


_LINE = re.compile(r"at line (\d+)")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([\w.-]+)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w.-]+)\s*=(?!=)")


def _line_in(message: str, text: str) -> int:
    found = _LINE.search(message)
    return int(found[1]) if found else len(text.splitlines())


def line_of(location: tuple[int | str, ...], text: str) -> int:
    """Find the line of a TOML text on which a value, or the nearest thing around it, is written.

    Args:
        location: Keys and positions from the root.
        text: The text; keys are not quoted.
    """
    best, depth = 1, 0
    table: tuple[int | str, ...] = ()
    positions: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = tuple(header[2].split("."))
            if header[1] == "[[":
                positions[header[2]] = positions.get(header[2], -1) + 1
                table += (positions[header[2]],)
            path = table
        elif key := _KEY.match(line):
            path = table + tuple(key[1].split("."))
        else:
            continue
        if len(path) > depth and location[: len(path)] == path:
            best, depth = number, len(path)
    return best
