"""`sessionctl tail`."""

# ruff: noqa: PLC0415 (boto3 takes half a second to import)

import shutil
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.failures import CannotRunError, denied_action, explain, is_denied
from ops.sessionctl.screen import command_line, say
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.following.subscription import Subscription


class Kind(StrEnum):
    """What became of a session."""

    STARTED = "started"
    REFRESHED = "refreshed"
    ENDED = "ended"
    EXPIRED = "expired"


_KINDS = "Only started, refreshed, ended or expired; repeat for more."


@about_a_stack
def tail(
    *,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="Only the sessions of this customer.")] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option(metavar="KIND", help=_KINDS),
    ] = None,
    where: Where,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the detail of each event as a line of JSON, for programs.")
    ] = False,
) -> None:
    """Follow what becomes of sessions, until Ctrl-C: started, refreshed, ended, expired.

    It makes a queue and a rule of its own on the stack's bus of life-cycle events, and removes them when it ends.
    On AWS a new rule takes up to a minute to work. Times are UTC. Refreshed sessions need
    PublishRefreshedSessions=true.

    Examples:
      sessionctl tail
      sessionctl tail --customer c-1 --kind ended --kind expired
      sessionctl tail --stack-name session-events --json | jq .session
    """
    from botocore.exceptions import ClientError

    from ops.following.subscription import ACTIONS, SubscriptionError, pattern_of
    from ops.signals import EndedBySignalError, ending_by_signal

    pattern = pattern_of(customer_id=customer, kinds=[str(one) for one in kind or ()])
    with open_stack(where) as stack:
        bus = stack.outputs.get("SessionsEventBusName")
        if bus is None:
            raise CannotRunError(_not_publishing(stack, is_local=where.stack_name is None))
        try:
            with ending_by_signal():
                _follow(stack, bus, pattern, has_customer=customer is None, as_json=as_json)
        except EndedBySignalError:
            say("Ended.")
        except SubscriptionError as error:
            raise CannotRunError(f"the rule has no target: {error}") from error
        except ClientError as error:
            if is_denied(error):
                raise CannotRunError(
                    f"the IAM action {denied_action(error)} is not allowed: have all of these allowed, or choose "
                    f"another --profile: {', '.join(ACTIONS)}"
                ) from error
            raise


def _follow(stack: Stack, bus: str, pattern: dict[str, Any], *, has_customer: bool, as_json: bool) -> None:
    from ops.following.subscription import Subscription

    events, sqs = stack.client("events"), stack.client("sqs")
    _remove_leftovers(events, sqs, bus)
    subscription = Subscription(events, sqs, bus, pattern)
    try:
        with subscription:
            say(f"Following the sessions of {stack.name} from now on. Ctrl-C ends it.")
            _print(subscription, has_customer=has_customer, as_json=as_json)
    finally:
        if subscription.remains:
            say(f"The queue and rule {subscription.name} could not be removed; a later tail removes them.")


def _print(subscription: "Subscription", *, has_customer: bool, as_json: bool) -> None:
    from ops.sessionctl.tail_lines import Lines, Repeats
    from processors.aws.event_bus import line_of

    lines, repeats = Lines(has_customer=has_customer), Repeats()
    while True:
        for event in subscription.receive():
            detail = event["detail"]
            if repeats.is_repeat(detail):
                continue
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            typer.echo(line_of(detail) if as_json else lines.line_of(detail, now=datetime.now(UTC), width=width))


def _remove_leftovers(events: Any, sqs: Any, bus: str) -> None:
    """Remove what killed runs left; where that is not allowed, following is possible all the same."""
    from botocore.exceptions import ClientError

    from ops.following.subscription import remove_leftovers

    try:
        left = remove_leftovers(events, sqs, bus, now=datetime.now(UTC))
    except ClientError as error:
        say(f"What an earlier, killed tail may have left is not removed: {explain(error)}")
    else:
        for name in left:
            say(f"Removed the queue and rule {name}, left by an earlier tail that was killed.")


def _not_publishing(stack: Stack, *, is_local: bool) -> str:
    mend = (
        f"start it with `{command_line('local', '--parameter', 'PublishSessionEvents=true')}`"
        if is_local
        else "deploy it with PublishSessionEvents=true"
    )
    return f"{stack.name} does not publish what becomes of sessions: {mend}"
