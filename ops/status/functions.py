"""Functions, what invokes them, and their settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.status.lines import Commands, Line, State, several
from processors.runtime.settings import Settings, SettingsError

_TABLES_STREAM = "the sessions table's stream"
_OF_EVENTS = ("session events", "SessionEventsQueueUrl")
_OF_COMMANDS = ("session commands", "SessionCommandsQueueUrl")


@dataclass(frozen=True, slots=True)
class Part:
    """A function of the stack, and what it takes from.

    Attributes:
        name: What people call it.
        function: Its name in Lambda.
        queues: Names and URLs of the queues that it consumes.
        reads_stream: Whether it reads the sessions table's stream.
        log_group: Where it logs.
    """

    name: str
    function: str
    log_group: str
    queues: Sequence[tuple[str, str]] = ()
    reads_stream: bool = False


def parts_of(outputs: Mapping[str, str], log_group: Callable[[str, str], str]) -> list[Part]:
    """List the functions that the stack has.

    Args:
        outputs: The stack's outputs.
        log_group: Returns a log group by its logical id and the function's name.
    """
    consumed = [(name, outputs[output]) for name, output in (_OF_EVENTS, _OF_COMMANDS) if output in outputs]
    parts = (
        ("consumer", "SqsConsumer", consumed, False),
        ("projector", "StreamProjector", (), True),
        ("direct consumer", "EventBridgeConsumer", (), False),
        ("publisher", "SessionPublisher", (), True),
        ("sweeper", "ExpirySweeper", (), False),
    )
    return [
        Part(name, function, log_group(f"{logical}LogGroup", function), queues, reads_stream)
        for name, logical, queues, reads_stream in parts
        if (function := outputs.get(f"{logical}FunctionName")) is not None
    ]


def function_line(client: Any, part: Part, commands: Commands) -> Line:
    """Say whether a function can run: its state, its settings, its concurrency.

    Args:
        client: A boto3 Lambda client.
        part: The function.
        commands: Writes the next commands.

    Raises:
        ClientError: Lambda refused.
        BotoCoreError: It could not be reached.
    """
    configuration = client.get_function_configuration(FunctionName=part.function)
    reserved = client.get_function_concurrency(FunctionName=part.function).get("ReservedConcurrentExecutions")
    named = ("--function-name", part.function)
    problems: list[tuple[str, str]] = []
    if reserved == 0:
        problems.append(
            ("its concurrency is 0, so it never runs", _aws(commands, "delete-function-concurrency", named))
        )
    if (
        configuration.get("State", "Active") not in ("Active", "Inactive")
        or configuration.get("LastUpdateStatus") == "Failed"
    ):
        why = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "no reason given"
        problems.append((f"it cannot run: {why}", _aws(commands, "get-function-configuration", named)))
    variables = configuration.get("Environment", {}).get("Variables", {})
    try:
        Settings.from_environment(variables, needs=())
    except SettingsError as error:
        problems.append((str(error), _aws(commands, "get-function-configuration", named)))
    words = "; ".join(words for words, _ in problems) or "can run"
    state = State.WAITS if problems else State.OK
    return Line(f"function: {part.name}", state, words, [command for _, command in problems], {"name": part.function})


def mappings_line(client: Any, part: Part, stream_arn: str, commands: Commands) -> Line:
    """Say whether a function is invoked by all that it takes from.

    Args:
        client: A boto3 Lambda client.
        part: The function.
        stream_arn: The stream that the sessions table has today.
        commands: Writes the next commands.

    Raises:
        ClientError: Lambda refused.
        BotoCoreError: It could not be reached.
    """
    # All of them: asked for a function, Lambda leaves out those of its alias (docs/upgrading.md, gradual deployment).
    pages = client.get_paginator("list_event_source_mappings").paginate()
    found = [each for page in pages for each in page["EventSourceMappings"]]
    arns = {each["EventSourceArn"]: each for each in found if each["FunctionArn"].split(":")[6] == part.function}
    wanted = {name: url.rpartition("/")[2] for name, url in part.queues}
    if part.reads_stream:
        wanted[_TABLES_STREAM] = stream_arn
    problems: list[tuple[str, str]] = []
    for name, source in wanted.items():
        mapping = next((each for arn, each in arns.items() if source in (arn, arn.rpartition(":")[2])), None)
        if mapping is not None:
            problems += _problems_of(name, mapping, part, commands)
        else:
            command = _aws(commands, "list-event-source-mappings", ("--function-name", part.function))
            problems.append((f"nothing invokes it with {name}: deploy the stack again", command))
    words = "; ".join(words for words, _ in problems) or f"takes from {' and '.join(wanted)}"
    state = State.WAITS if problems else State.OK
    return Line(f"mappings: {part.name}", state, words, [command for _, command in problems])


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the stack.

    Attributes:
        label: Its logical id.
        name: Its name in EventBridge.
        bus: The event bus it is on.
    """

    label: str
    name: str
    bus: str


def rules_line(events: Any, rules: Sequence[Rule], commands: Commands) -> Line:
    """Say whether the rules that hand events on, and the schedule, are switched on.

    Raises:
        ClientError: EventBridge refused.
        BotoCoreError: It could not be reached.
    """
    named = [{"Name": rule.name, "EventBusName": rule.bus} for rule in rules]
    off = [
        rule for rule, names in zip(rules, named, strict=True) if events.describe_rule(**names)["State"] == "DISABLED"
    ]
    if not off:
        return Line("rules", State.OK, f"{several(len(rules), 'rule')} on")
    words = f"{', '.join(rule.label for rule in off)} {'are' if len(off) > 1 else 'is'} switched off"
    mending = [commands.aws("events", "enable-rule", "--name", rule.name, "--event-bus-name", rule.bus) for rule in off]
    return Line("rules", State.WAITS, words, mending)


def _problems_of(name: str, mapping: Mapping[str, Any], part: Part, commands: Commands) -> list[tuple[str, str]]:
    state, last = mapping["State"], str(mapping.get("LastProcessingResult", ""))
    if state not in ("Enabled", "Enabling", "Updating", "Creating"):
        command = _aws(commands, "update-event-source-mapping", ("--uuid", mapping["UUID"], "--enabled"))
        return [(f"{name} is switched off ({state})", command)]
    if last.startswith(("PROBLEM", "FAILED")):  # Lambda's word, and the emulator's
        command = commands.logs(part.log_group)
        return [(f"the last batch of {name} failed: {last}", command)]
    return []


def _aws(commands: Commands, operation: str, options: Sequence[str]) -> str:
    return commands.aws("lambda", operation, *options)
