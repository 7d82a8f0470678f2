"""`sessionctl rebuild`."""

# ruff: noqa: PLC0415 (what rebuilds and boto3 take a second to import)

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson
from ops.sessionctl.progress import open_checkpoint, stages
from ops.sessionctl.screen import counted, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where, open_stack

if TYPE_CHECKING:
    from ops.sessionctl.progress import Stages

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

_SHOWN = 20
"""Most problems that are named on the screen."""

Rate = Annotated[
    float | None, typer.Option(metavar="N", min=0.1, help="Most a second, to leave the tables' capacity to others.")
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="Keep in it how far it is: the same command goes on from there."),
]


@app.callback()
def rebuild() -> None:
    """Make projections anew from the register, or have the stream show the register once more, while the system runs.

    Repeating it is harmless.
    """


@app.command()
@about_a_stack
def customer(
    customer_id: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Make a customer's projection anew from the register.

    Example:
      sessionctl rebuild customer customer-1001
    """
    from ops.rebuilding.projections import NotSentError
    from schemas.times import format_rfc3339

    with open_stack(where) as stack:
        _, projections = stack.tables(stack.settings())
        try:
            activity = projections.rebuild(customer_id, send=stack.command_sender())
        except NotSentError as error:
            raise CannotRunError(
                f"the projection is rebuilt, but logouts that a policy decided were not sent ({error}): run it again"
            ) from error
    last_login = activity.last_login_time and format_rfc3339(activity.last_login_time)
    if as_json:
        show_json(asdict(activity) | {"last_login_time": last_login})
        return
    count = ("" if activity.is_exact else "at least ") + f"{activity.session_count:,}"
    say(f"Rebuilt the projection of {customer_id}: {count} live, last login {last_login or 'never'}.")


@app.command("all")
@about_a_stack
def all_customers(
    *,
    rate: Rate = None,
    checkpoint: CheckpointFile = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Make the projection of every customer anew: after the projections table was lost or restored.

    It scans both tables, and takes about four requests a customer; --rate bounds the customers a second. Exit code 1
    where a customer's could not be rebuilt.

    Example:
      sessionctl rebuild all --rate 200 --checkpoint rebuild.checkpoint
    """
    from ops.rebuilding.projections import RebuildAll
    from ops.rebuilding.scanning import Pace

    with open_stack(where) as stack, stages(partial(_stopped, checkpoint)) as screen:
        settings = stack.settings()
        sessions, projections = stack.tables(settings)
        with open_checkpoint(checkpoint, f"rebuild all of {stack.outputs['ProjectionsTableName']}") as state:
            RebuildAll(
                sessions=sessions,
                projections=projections,
                send=stack.command_sender(),
                checkpoint=state,
                pace=Pace(rate),
                concurrency=8 if settings.batch_statements else 1,
                on_progress=screen,
            ).run()
            problems, customers = state.problems(), state.done_count
            if not problems:
                state.finish()
    _tell_rebuilt(customers, problems, stack.name, as_json=as_json)


def _tell_rebuilt(customers: int, problems: dict[str, str], stack: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"customers": customers, "rebuilt": customers - len(problems), "failed": problems})
    else:
        say(f"Rebuilt the projections of {counted(customers - len(problems), 'customer')} of {stack}.")
        for customer_id, problem in list(problems.items())[:_SHOWN]:
            say(f"{customer_id} could not be rebuilt: {problem}")
        if len(problems) > _SHOWN:
            say(f"... and {len(problems) - _SHOWN:,} more; --json lists all of them.")
    if problems:
        raise typer.Exit(1)


@app.command()
@about_a_stack
def register(
    *,
    rate: Rate = None,
    checkpoint: CheckpointFile = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Touch every session item: its version goes up and nothing else, so that the stream shows it once more.

    Every reader of the stream works it out anew: projections are corrected, life-cycle events published again, expiries
    noted. For a restored table, and a table that was there before the stack. It costs a write unit an item, and the
    functions' time; --rate bounds the items a second. Exit code 1 where items could not be touched.

    Example:
      sessionctl rebuild register --rate 500 --checkpoint register.checkpoint
    """
    from ops.rebuilding.projections import touch_all
    from ops.rebuilding.scanning import Pace
    from ops.rebuilding.touching import Touch

    with open_stack(where) as stack, stages(partial(_stopped, checkpoint)) as screen:
        sessions, _ = stack.tables(stack.settings())
        with open_checkpoint(checkpoint, f"rebuild register of {stack.outputs['SessionsTableName']}") as state:
            counts = touch_all(sessions, state, pace=Pace(rate), on_progress=screen)
            if not counts[Touch.NOT_WRITTEN]:
                state.finish()
    if as_json:
        show_json({outcome.value: counts[outcome] for outcome in Touch})
    else:
        say(f"Touched {counted(counts[Touch.TOUCHED], 'item')} of {stack.name}: the stream shows them once more.")
        for outcome, text in _LEFT_ALONE.items():
            if counts[Touch(outcome)]:
                say(f"{counts[Touch(outcome)]:,} {text}")
    if counts[Touch.NOT_WRITTEN]:
        raise typer.Exit(1)


_LEFT_ALONE = {
    "foreign": "were left alone: they are another writer's.",
    "newer_format": "were left alone: a later release wrote them. Update sessionctl, and touch the register again.",
    "unreadable": "were left alone: they break the schema. `sessionctl verify` names them.",
    "without_login_time": "were left alone: of the original schema, without a login time.",
    "not_written": "could not be touched: the table was throttled or busy. Run it again, with a lower --rate"
    " and the same --checkpoint: without one it touches every item again.",
}
"""Results of a touch, and what is said of them."""


def _stopped(checkpoint: Path | None, shown: "Stages") -> str:
    if checkpoint is None:
        return f"{shown}; run it again, which starts from the beginning and is safe. --checkpoint FILE goes on instead."
    return f"{shown}; run it again with --checkpoint {checkpoint} to go on from there."
