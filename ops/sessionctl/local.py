"""`sessionctl local`."""

# ruff: noqa: PLC0415 (boto3 and the template take a second to import)

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.container_environment import write_env_vars
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.running_stack import RunningStack, announcing
from ops.sessionctl.screen import answers, command_line

if TYPE_CHECKING:
    from rich.console import Console

    from ops.local_aws.stack import LocalStack

_SHOWN_OUTPUTS = {
    "Event bus": "EventBusName",
    "Session-events queue": "SessionEventsQueueUrl",
    "Rejected-events queue": "RejectedEventsQueueUrl",
    "Dead-letter queue": "SessionEventsDeadLetterQueueUrl",
    "Commands queue": "SessionCommandsQueueUrl",
    "Its dead-letter queue": "SessionCommandsDeadLetterQueueUrl",
    "Sessions table": "SessionsTableName",
    "Projections table": "ProjectionsTableName",
}


def local(
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="The stack's name; several can run.")] = "session-events",
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
    with_demo: Annotated[bool, typer.Option("--with-demo", help="Begin with the demo's day in it.")] = False,
) -> None:
    """Deploy template.yaml to a local AWS, until Ctrl-C.

    It needs no AWS account and no Docker. The other commands find it by themselves. Nothing is kept.

    Examples:
      sessionctl local
      sessionctl local --parameter MaxSessionsPerCustomer=3
      sessionctl local --name second --with-demo
      sessionctl local --bind 0.0.0.0 --env-vars env.json
    """
    from ops.local_aws.serving import serve
    from ops.local_aws.stack import LocalStack, LocalStackError
    from ops.signals import EndedBySignalError, ending_by_signal

    console = answers()
    parameters = dict(_assignment(text) for text in parameter or [])
    if env_vars is not None and bind.startswith("127."):
        console.print(
            "Note: containers reach this machine's 127.0.0.1 by no name; add --bind 0.0.0.0.\n", style="yellow"
        )
    stack = LocalStack(name, parameters=parameters, bind=bind, port=port)
    try:
        with ending_by_signal(), announcing(name) as announce, stack:
            if env_vars is not None:
                write_env_vars(env_vars, stack.functions(), stack.endpoint, container_host)
            if with_demo:
                _play_demo(console, stack)
            announce(RunningStack(os.getpid(), name, stack.region, stack.endpoint, stack.outputs))
            _introduce(console, stack)
            if env_vars is not None:
                _introduce_containers(console, stack, env_vars)
            serve(console, stack)
    except LocalStackError as error:
        raise CannotRunError(f"the local stack cannot run: {error}") from error
    except EndedBySignalError:
        console.print("Stopped; nothing is left running.")


def _play_demo(console: "Console", stack: "LocalStack") -> None:
    from ops.demo.command import play

    play(console, stack)


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--parameter")
    return name, value


def _introduce(console: "Console", stack: "LocalStack") -> None:
    took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in stack.parts.items())
    console.print(
        f"[bold green]The local stack {stack.name} is up[/] ({took}). Ctrl-C ends it, and what it holds is gone.\n"
    )
    names = {"Endpoint": stack.endpoint, **{label: stack.outputs[output] for label, output in _SHOWN_OUTPUTS.items()}}
    names |= {f"Log group {number}": group for number, group in enumerate(stack.log_groups(), 1)}
    _print_lines(console, *(f"{label:<21} {value}" for label, value in names.items()))
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
    _print_lines(console, f'eval "$({command_line("env")})"', "aws dynamodb scan --table-name $SESSIONS_TABLE")


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
