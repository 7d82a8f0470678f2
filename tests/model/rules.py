"""Each rule of the projections taken away, as a small patch over the real code: what does the model then catch?"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest import mock

from processors import projection_table
from processors.projections import facts, merge, projector, rebuild, register_reads, state
from processors.projections.facts import CustomerFacts

Patches = list[Any]


def _add_without_removals(facts_by_customer: dict[str, CustomerFacts], record: Any) -> None:
    if not record.is_removal:
        facts.add_record(facts_by_customer, record)


def _is_suspect_if_active(is_suspect: Callable[..., bool]) -> Callable[..., bool]:
    return lambda image, watermark: image.is_active and is_suspect(image, watermark)


def _never_backwards(is_suspect: Callable[..., bool]) -> Callable[..., bool]:
    return lambda image, watermark: is_suspect(replace(image, goes_backwards=False), watermark)


def _extend_only(known: Any, session: Any, now_s: int) -> Any:
    """Merge what was read again into the entry instead of replacing it."""
    found = state.replace_with(known, session, now_s)
    return found if found is None or known is None else state.extend(known, session, now_s)


def _forget_ending(known: Any, session: Any, now_s: int) -> Any:
    found = state.replace_with(known, session, now_s)
    return found and found._replace(end_reason=None, end_as_of=None)


def _of_ended_images(end_times: Callable[[CustomerFacts], list[int]]) -> Callable[[CustomerFacts], list[int]]:
    return lambda found: end_times(
        replace(found, removals=[], images=[image for image in found.images if not image.goes_backwards])
    )


def _without_watermark(merging: Callable[..., Any]) -> Callable[..., Any]:
    def merged(projection: Any, *arguments: Any, **more: Any) -> Any:
        result = merging(projection, *arguments, **more)
        mark = None if projection is None else projection.end_watermark
        return result._replace(projection=replace(result.projection, end_watermark=mark))

    return merged


def _born_from_the_batch(self: Any, customer_id: str, projection: Any, found: CustomerFacts, read: Any) -> Any:
    return merge.merge(
        projection,
        found,
        customer_id=customer_id,
        reread=read.items.sessions,
        now=self._clock(),
        rules=self.rules,
    )


def _needs_register_if_known(projection: Any, found: CustomerFacts) -> bool:
    return projection is not None and register_reads.needs_register(projection, found)


def _without_revocation(register_of: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **more: replace(register_of(*arguments, **more), revocation=None)


def _from_nothing(rebuilding: Callable[..., Any], **kept: str) -> Callable[..., Any]:
    def rebuilt(projection: Any, *arguments: Any, **more: Any) -> Any:
        if projection is not None:
            projection = replace(projection, last_login_time=None, last_login_session_id=None)
        return rebuilding(projection, *arguments, **more)

    return rebuilt


def _unwritten_ends(merging: Callable[..., Any]) -> Callable[..., Any]:
    """Write an end only where it changes something, so that its write may not raise the version."""

    def merged(projection: Any, *arguments: Any, **more: Any) -> Any:
        result = merging(projection, *arguments, **more)
        is_changed = projection is None or result.projection != projection
        return result._replace(is_changed=result.is_changed and is_changed)

    return merged


def _patch(target: Any, name: str, make: Any) -> Any:
    return mock.patch.object(target, name, make)


RULES: Mapping[str, Callable[[], Patches]] = {
    "records at or before the watermark are read again": lambda: [_patch(merge, "_is_suspect", lambda *_: False)],
    "ended images are read again, too": lambda: [
        _patch(merge, "_is_suspect", _is_suspect_if_active(merge._is_suspect))
    ],
    "the slack of five seconds": lambda: [_patch(merge, "CLOCK_SLACK_SECONDS", -1)],
    "a removal is read again": lambda: [_patch(projector, "add_record", _add_without_removals)],
    "a change backwards is read again": lambda: [_patch(merge, "_is_suspect", _never_backwards(merge._is_suspect))],
    "a removal or a change backwards raises the watermark": lambda: [
        _patch(merge, "end_times", _of_ended_images(merge.end_times))
    ],
    "an end raises the watermark": lambda: [_patch(projection_table, "merge", _without_watermark(merge.merge))],
    "an end always writes": lambda: [_patch(projection_table, "merge", _unwritten_ends(merge.merge))],
    "what is read again replaces the entry": lambda: [_patch(merge, "replace_with", _extend_only)],
    "an entry that is ending stays so when it is read again": lambda: [_patch(merge, "replace_with", _forget_ending)],
    "a birth or rebuild raises the watermark": lambda: [
        _patch(projection_table, "rebuild", _without_watermark(rebuild.rebuild))
    ],
    "a projection is born from the register": lambda: [
        _patch(projection_table, "needs_register", _needs_register_if_known),
        _patch(projection_table.ProjectionTable, "_merge", _born_from_the_batch),
    ],
    "a birth reads the revocation by its key": lambda: [
        _patch(register_reads, "_register_of", _without_revocation(register_reads._register_of))
    ],
    "an entry that is ending stays so in a rebuild": lambda: [_patch(rebuild, "replace_with", _forget_ending)],
    "a rebuild never lowers last login": lambda: [_patch(projection_table, "rebuild", _from_nothing(rebuild.rebuild))],
    "what a rebuild decides is sent": lambda: [_patch(projection_table, "logouts_for_ending", lambda *_: [])],
}
"""By the rule that is taken away: makes the patches."""


def without(rule: str | None) -> ExitStack:
    """Take a rule away for a while; None: none."""
    stack = ExitStack()
    for patch in RULES[rule]() if rule is not None else ():
        stack.enter_context(patch)
    return stack
