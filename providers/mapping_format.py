"""The format of mapping files: how the events of one identity system are recognised and read, as data.

A file is TOML and its expressions are JMESPath; `docs/providers.md` describes how to write one.
"""

from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from providers.expressions import Expression


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


class Page(BaseModel):
    """A list of events as the system's API returns it.

    Attributes:
        has: Members that tell it apart.
        when: A condition on the page.
        members: Gives the list; where it is absent the page is empty.
        carry: Gives an object whose members each event of the list gets as well: what the list's events share.
    """

    model_config = _STRICT

    has: tuple[str, ...] = Field(min_length=1)
    when: Condition | None = None
    members: Condition
    carry: Condition | None = None

    def holds(self, content: dict[str, Any]) -> bool:
        """True where an object is such a page."""
        return all(name in content for name in self.has) and (self.when is None or self.when.holds(content))

    def listed(self, content: dict[str, Any]) -> Any:
        """Return what stands where the list should be, each event with what is carried over to it."""
        members = self.members.search(content)
        shared = None if self.carry is None else self.carry.search(content)
        if not isinstance(members, list) or not isinstance(shared, dict):
            return members
        return [member | shared if isinstance(member, dict) else member for member in members]


class ClientPaths(BaseModel):
    """Where to find the client of a login."""

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
        """Return these paths with those of `other` in their place; an empty list there means "nowhere"."""
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
        showing: A value that the reason ends with, where it looks like a name: the format that is not read, say.
        requires: Fields without which an event is rejected: `session_id` for a logout that always names its session.
    """

    is_: Literal["login", "logout", "logout_all", "rejected"] = Field(alias="is")
    types: tuple[str, ...] | None = Field(None, min_length=1)
    when: Condition | None = None
    because: str | None = None
    showing: Condition | None = None
    requires: tuple[Literal["session_id", "customer_id"], ...] = ()

    @model_validator(mode="after")
    def _gives_a_reason_where_it_rejects(self) -> "Rule":
        if (self.is_ == "rejected") != (self.because is not None):
            raise ValueError("needs `because`, the reason, where is = 'rejected', and has none elsewhere")
        return self


class MappingFile(BaseModel):
    """A mapping file, read and checked.

    Attributes:
        provider: The identity system: `source` of its events.
        recognise: Ways to recognise its events; one suffices.
        view: Gives the event another form, on which all expressions below work; None leaves it as it is.
        type: Where its type is.
        detail_type: Whether the `detail-type` of the EventBridge event around it is its type, where there is one.
        tenant: Where the tenant is (a realm, a pool), for `CUSTOMER_NAMESPACE=provider`; None where events carry none.
        issuer: Where the issuer is, in a format that many systems share, for `CUSTOMER_NAMESPACES`.
        absent: Texts that the system writes where it has no value, in lower case; they are never ids.
        ignored: Its other types that are known and mean nothing here.
        page: Its lists of events.
        fields: Where the canonical fields are, for all rules.
        events: The rules.
    """

    model_config = _STRICT

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    recognise: tuple[Recognition, ...] = Field(min_length=1)
    view: Condition | None = None
    type: Paths
    detail_type: bool = False
    tenant: Paths | None = None
    issuer: Paths | None = None
    absent: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    page: tuple[Page, ...] = ()
    fields: FieldPaths = FieldPaths()
    events: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_tenant_or_an_issuer(self) -> "MappingFile":
        if self.tenant is not None and self.issuer is not None:
            raise ValueError("names tenant and issuer: keep tenant for one system, issuer for a format that many share")
        return self

    @cached_property
    def member_names(self) -> frozenset[str]:
        """Return the names of all members that the mapping reads."""
        return frozenset(_names_in(self))


def _names_in(content: object) -> set[str]:
    """Return the members that the expressions of a mapping read, wherever in the mapping they stand."""
    if isinstance(content, Expression):
        return content.member_names()
    if isinstance(content, Recognition | Page):
        return set(content.has).union(*map(_names_in, _fields_of(content)))
    if isinstance(content, BaseModel):
        return set().union(*map(_names_in, _fields_of(content)))
    return set().union(*map(_names_in, content)) if isinstance(content, tuple) else set()


def _fields_of(model: BaseModel) -> list[object]:
    """Return the values of a model's fields; its iterator fails where another thread stores a cached property."""
    return [getattr(model, name) for name in type(model).model_fields]
