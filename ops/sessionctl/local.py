"""`sessionctl local`."""

# ruff: noqa: PLC0415 (engines and handlers take a second to import)

import os
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.local_stack.environment import ACCESS_KEY
from ops.sessionctl.container_environment import write_env_vars
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import Engine, EngineOption
from ops.sessionctl.running_stack import RunningStack, announcing
from ops.sessionctl.screen import answers, command_line
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from rich.console import Console

    from ops.handler_output import HandlerOutput
    from ops.local_stack.stack import LocalStack

_REFRESH_SECONDS = 0.3
_SHOWN_OUTPUTS = {
    "Event bus": "EventBusName",
    "Session-events queue": "SessionEventsQueueUrl",
    "Rejected-events queue": "RejectedEventsQueueUrl",
    "Dead-letter queue": "SessionEventsDeadLetterQueueUrl",
    "Sessions table": "SessionsTableName",
    "Projections table": "ProjectionsTableName",
}


def local(
    *,
    engine: EngineOption = Engine.MOTO,
    bind: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets containers in, and the network.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the endpoint; a free one otherwise.")
    ] = None,
    env_vars: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the functions' environment for [bold]sam local invoke --env-vars[/]."),
    ] = None,
    container_host: Annotated[
        str, typer.Option(metavar="HOST", help="What containers call this machine, for --env-vars.")
    ] = "host.docker.internal",
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of template.yaml; repeat for more.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Where handlers log; a new temporary file otherwise.")] = None,
) -> None:
    """Run the whole stack on this machine, until Ctrl-C.

    It needs no AWS account and no Docker. Queues, tables, bus and rules come from template.yaml. The other commands
    find it by themselves. Nothing is kept.

    Examples:
      sessionctl local
      sessionctl local --parameter MaxSessionsPerCustomer=3
      sessionctl local --bind 0.0.0.0 --env-vars env.json
    """
    from ops.handler_output import HandlerOutput
    from ops.local_stack.stack import LocalStack, LocalStackError

    console = answers()  # before handlers' output is led away from the screen
    parameters = dict(_assignment(text) for text in parameter or [])
    if env_vars is not None and bind.startswith("127."):
        console.print(
            "Note: containers reach this machine's 127.0.0.1 by no name; add --bind 0.0.0.0.\n", style="yellow"
        )
    try:
        with (
            announcing() as announce,
            HandlerOutput.overwriting(log or _temporary_log()).captured() as output,
            LocalStack(engine.value, parameters=parameters, bind=bind, port=port) as stack,
        ):
            _write_env_vars(stack, env_vars, container_host)
            announce(_description_of(stack))
            _introduce(console, stack, engine, output.path)
            if env_vars is not None:
                _introduce_containers(console, stack, env_vars)
            _serve(console, stack, output)
    except LocalStackError as error:
        raise CannotRunError(f"the local stack cannot run: {error}") from error
    except KeyboardInterrupt:
        console.print("Stopped before it was up; nothing is left running.")
        raise typer.Exit(130) from None
    console.print("Stopped; nothing is left running.")


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--parameter")
    return name, value


def _temporary_log() -> Path:
    with tempfile.NamedTemporaryFile(prefix="session-events-", suffix=".log", delete=False) as file:
        return Path(file.name)


def _description_of(stack: "LocalStack") -> RunningStack:
    return RunningStack(
        process_id=os.getpid(),
        region=stack.region,
        endpoint=stack.endpoints["others"],
        dynamodb_endpoint=stack.endpoints["tables"],
        outputs=stack.outputs,
    )


def _write_env_vars(stack: "LocalStack", file: Path | None, container_host: str) -> None:
    if file is not None:
        write_env_vars(file, stack.function_environments, stack.endpoints, container_host)


def _introduce(console: "Console", stack: "LocalStack", engine: Engine, log: Path) -> None:
    console.print(f"[bold green]The local stack is up[/] ({engine}). Ctrl-C ends it, and what it holds is gone.\n")
    _print_lines(console, *(f"{label:<21} {value}" for label, value in _names(stack, log)))
    console.print("\n[bold]In a second terminal:[/]")
    _print_lines(
        console,
        command_line("publish", "login", "--customer", "c-1", "--session", "s-1"),
        command_line("get", "customer", "c-1"),
        command_line("publish", "logout", "--customer", "c-1", "--session", "s-1"),
        command_line("get", "session", "s-1", "--customer", "c-1"),
        command_line("--help"),
    )
    console.print("\n[bold]With the AWS CLI or boto3:[/]")
    _print_lines(console, *_exports(stack), f"aws dynamodb scan --table-name {stack.outputs['SessionsTableName']}")


def _names(stack: "LocalStack", log: Path) -> Iterator[tuple[str, str]]:
    yield "Endpoint", stack.endpoints["others"]
    if stack.endpoints["tables"] != stack.endpoints["others"]:
        yield "DynamoDB endpoint", stack.endpoints["tables"]
    for label, output in _SHOWN_OUTPUTS.items():
        yield label, stack.outputs[output]
    yield "Handlers log to", str(log)


def _exports(stack: "LocalStack") -> Iterator[str]:
    yield f"export AWS_ENDPOINT_URL={stack.endpoints['others']} AWS_DEFAULT_REGION={stack.region}"
    if stack.endpoints["tables"] != stack.endpoints["others"]:
        yield f"export AWS_ENDPOINT_URL_DYNAMODB={stack.endpoints['tables']}"
    yield f"export AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={ACCESS_KEY}"


def _introduce_containers(console: "Console", stack: "LocalStack", env_vars: Path) -> None:
    console.print(f"\n[bold]With SAM, in containers[/] (their environment is in {env_vars}):")
    _print_lines(
        console,
        "sam local invoke SqsConsumerFunction -e tests/events/sqs-login.json \\",
        f"  --env-vars {env_vars} --region {stack.region} \\",
        "  --add-host host.docker.internal:host-gateway",
    )


def _print_lines(console: "Console", *lines: str) -> None:
    for line in lines:
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _serve(console: "Console", stack: "LocalStack", output: "HandlerOutput") -> None:
    """Show what becomes of events until somebody ends it.

    Raises:
        LocalStackError: A poller failed: the stack stands still.
    """
    shown: Counter[str] = Counter()
    with _ended_by_signal() as is_ended:
        console.print("\n[bold]Events processed, as they come:[/]")
        while not is_ended.wait(_REFRESH_SECONDS):
            stack.raise_error()
            counts = _outcomes(output)
            if counts != shown:
                new = ", ".join(f"{count:,} {outcome}" for outcome, count in (counts - shown).items())
                console.print(f"  {datetime.now():%H:%M:%S}  {new}", markup=False)  # noqa: DTZ005 (the clock on the wall)
                shown = counts


def _outcomes(output: "HandlerOutput") -> Counter[str]:
    metrics = output.metrics()
    return Counter({outcome.value: metrics[outcome] for outcome in Outcome if metrics[outcome]})


@contextmanager
def _ended_by_signal() -> Iterator[threading.Event]:
    """Turn Ctrl-C, a request to end and a closed terminal into an event: the stack is always taken down in order."""
    is_ended = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: is_ended.set()) for number in signals}
    try:
        yield is_ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
