"""The stack that a command is about: the local one, or a deployed one, found by its name."""

# ruff: noqa: PLC0415 (boto3 takes half a second to import)

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.local_aws.environment import aws_settings, process_environment
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.running_stack import find_running

if TYPE_CHECKING:
    import boto3

    from ops.publishing.publisher import Publisher
    from ops.rebuilding.projections import Send
    from processors.projection_table import ProjectionTable
    from processors.runtime.settings import Settings
    from processors.session_table import SessionTable

_NEEDED = ("EventBusName", "SessionEventsQueueUrl", "SessionsTableName", "ProjectionsTableName")
_UNFINISHED = "_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Where:
    """What the user said about the stack."""

    local: bool
    name: str | None
    stack_name: str | None
    profile: str | None
    region: str | None

    def options(self) -> list[str]:
        """Write it as options again, for a command that is to be about the same stack."""
        named = {
            "--name": self.name,
            "--stack-name": self.stack_name,
            "--profile": self.profile,
            "--region": self.region,
        }
        return [part for option, value in named.items() if value is not None for part in (option, value)]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is up.

    Attributes:
        name: What messages call it.
        outputs: The template's outputs.
        session: What makes its clients.
        cloudformation_name: What CloudFormation calls it.
    """

    name: str
    outputs: Mapping[str, str]
    session: "boto3.Session"
    cloudformation_name: str = ""

    @property
    def sessions(self) -> "SessionTable":
        """Its sessions table."""
        from processors.session_table import SessionTable

        return SessionTable(self.client("dynamodb"), self.outputs["SessionsTableName"])

    @property
    def projections(self) -> "ProjectionTable":
        """Its projections table."""
        from processors.projection_table import ProjectionTable

        return ProjectionTable(self.client("dynamodb"), self.outputs["ProjectionsTableName"])

    def publisher(self, source: str) -> "Publisher":
        """Make a publisher to its event bus and queue.

        Args:
            source: What the publisher calls itself on the bus.
        """
        from ops.publishing.publisher import Publisher

        return Publisher(
            events=self.client("events"),
            sqs=self.client("sqs"),
            bus_name=self.outputs["EventBusName"],
            queue_url=self.outputs["SessionEventsQueueUrl"],
            source=source,
        )

    def settings(self) -> "Settings":
        """Read what its functions are set to; the defaults, and single writes, where it names no function.

        Raises:
            ClientError: Lambda refused.
            BotoCoreError: It could not be asked.
        """
        from processors.runtime.settings import Settings

        environment = {"DYNAMODB_BATCH_STATEMENTS": "false"}
        for output in ("SqsConsumerFunctionName", "StreamProjectorFunctionName"):
            if output in self.outputs:
                found = self.client("lambda").get_function_configuration(FunctionName=self.outputs[output])
                environment |= found["Environment"]["Variables"]
        return Settings.from_environment(environment, needs=())

    def tables(self, settings: "Settings") -> "tuple[SessionTable, ProjectionTable]":
        """Make both of its tables as its functions have them, to write to, with one request at a time."""
        from processors.projection_table import ProjectionTable
        from processors.session_table import SessionTable

        client = self.client("dynamodb")
        sessions = SessionTable(
            client,
            self.outputs["SessionsTableName"],
            lifetimes=settings.lifetimes,
            batch_statements=settings.batch_statements,
        )
        projections = ProjectionTable(
            client,
            self.outputs["ProjectionsTableName"],
            sessions=sessions,
            batch_statements=settings.batch_statements,
            limit=settings.max_sessions_per_customer,
        )
        return sessions, projections

    def command_sender(self) -> "Send":
        """Return what sends the logouts that a rebuild decides: to the session-events queue, as any logout.

        To the queue of commands the projector alone may send.
        """
        from ops.rebuilding.projections import sender
        from processors.aws.message_queue import MessageQueue

        return sender(MessageQueue(self.client("sqs"), self.outputs["SessionEventsQueueUrl"]))

    def client(self, service: str, *, patience_seconds: int = 30, attempts: int = 3) -> Any:
        """Make a boto3 client of a service, as boto3 names it.

        Args:
            service: Its name.
            patience_seconds: How long an answer may take.
            attempts: How often a request is made at most.
        """
        return _client(self.session, service, patience_seconds=patience_seconds, attempts=attempts)


@contextmanager
def open_stack(where: Where) -> Iterator[Stack]:
    """Find the stack that is meant; while in this context the environment is the one for it.

    Raises:
        CannotRunError: There is none, it is not one of ours, or options contradict each other.
        ClientError: CloudFormation refused.
        BotoCoreError: It could not be asked.
    """
    if where.stack_name is not None:
        if where.local or where.name:
            raise CannotRunError("--stack-name is a deployed stack, --local and --name a local one: leave one out")
        yield _deployed(where.stack_name, where)
        return
    if where.profile or where.region:
        raise CannotRunError("--profile and --region are for a deployed stack: name it with --stack-name")
    with _local(where.name) as stack:
        yield stack


@contextmanager
def _local(name: str | None) -> Iterator[Stack]:
    import boto3

    running = find_running(name)
    settings = aws_settings(region=running.region, endpoint=running.endpoint)
    with process_environment(settings, without_prefix="AWS_"):
        yield Stack("the local stack", running.outputs, boto3.Session(), running.name)


def _deployed(name: str, where: Where) -> Stack:
    import boto3
    from botocore.exceptions import ClientError

    session = boto3.Session(profile_name=where.profile, region_name=where.region)
    try:
        [description] = _client(session, "cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # what DescribeStacks says of a name it does not know
            raise
        raise CannotRunError(
            f"there is no stack {name} in {session.region_name} for these credentials: check --stack-name, --region "
            "and --profile (`aws cloudformation list-stacks` shows those there are)"
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    missing = [output for output in _NEEDED if output not in outputs]
    if missing and description["StackStatus"].endswith(_UNFINISHED):
        raise CannotRunError(f"stack {name} is {description['StackStatus']}: try again when that is finished")
    if missing:
        raise CannotRunError(
            f"stack {name} ({description['StackStatus']}) has no output {' or '.join(missing)}: "
            "is it the stack of this project's template?"
        )
    return Stack(f"stack {name}", outputs, session, name)


def _client(session: "boto3.Session", service: str, *, patience_seconds: int = 30, attempts: int = 3) -> Any:
    from botocore.config import Config

    settings = Config(
        connect_timeout=5,
        read_timeout=patience_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return session.client(service, config=settings)  # type: ignore[call-overload] # the name is a variable
