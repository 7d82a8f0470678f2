"""Our template, deployed to a local AWS: no AWS account, no Docker.

with LocalStack() as stack:
    stack.client("events").put_events(...)
    stack.settle()
    stack.client("dynamodb").scan(TableName=stack.outputs["SessionsTableName"])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.engines.child_process import LOOPBACK, EngineError
from ops.local_aws.bundle import local_bundle
from ops.local_aws.deployment import DeploymentError, deploy
from ops.local_aws.emulator import REGION, Emulator
from ops.local_aws.environment import ACCESS_KEY
from ops.local_aws.logs import FunctionLogs
from ops.local_aws.stream import StreamCount
from ops.packaging.package import BuildError
from ops.validation.translation import TEMPLATE_PATH, TemplateError

DEFAULT_NAME = "session-events"

_CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"}, max_pool_connections=20)
_QUIET_SECONDS = 3.0
"""Longer than a batching window and a poll of the stream: after so long without anything new, nothing is under way."""
_POLL_SECONDS = 0.3


class LocalStackError(Exception):
    """The local stack cannot start, or broke; the message is one line that says why."""


class LocalStack:
    """A deployed stack and the emulator it is deployed to; a context manager.

    Attributes:
        name: The stack's name.
        outputs: The template's outputs, as `outputs["SessionEventsQueueUrl"]`; empty until started.
        endpoint: URL of the local AWS; empty until started.
        region: The AWS region it stands for.
        parts: Seconds that each part of the start took, by name.
    """

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        *,
        parameters: Mapping[str, str] | None = None,
        bind: str = LOOPBACK,
        port: int | None = None,
        is_authorising: bool = False,
        template: Path = TEMPLATE_PATH,
    ) -> None:
        """Describe the stack, without starting anything.

        Args:
            name: The stack's name.
            parameters: Values for the template's parameters.
            bind: The address that the local AWS listens on; 0.0.0.0 lets containers in, and the network.
            port: Its port; None for one that is free.
            is_authorising: Whether roles' policies are enforced.
            template: The SAM template.
        """
        self.name = name
        self.outputs: dict[str, str] = {}
        self.region = REGION
        self.parts: dict[str, float] = {}
        self._parameters = dict(parameters or {})
        self._template = template
        self._emulator = Emulator(bind=bind, port=port, is_authorising=is_authorising)
        self._session = boto3.Session(
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=ACCESS_KEY, region_name=REGION
        )
        self._clients: dict[str, Any] = {}
        self._running = ExitStack()

    @property
    def endpoint(self) -> str:
        """URL of the local AWS; empty until started."""
        return self._emulator.endpoint

    def __enter__(self) -> LocalStack:
        """Start the emulator, build the functions, deploy the template.

        Raises:
            LocalStackError: Something of it is not possible; what was started is stopped again.
        """
        try:
            self._timed("emulator", lambda: self._running.enter_context(self._emulator))
            self.deploy(self._template, self._parameters)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            if isinstance(error, EngineError | BuildError | BotoCoreError | ClientError):
                raise LocalStackError(str(error)) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, BotoCoreError):
                self.raise_error()  # nobody answered, and this is why
        finally:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
            self._running.close()

    def deploy(self, template: Path, parameters: Mapping[str, str]) -> None:
        """Deploy a template as this stack, or update it.

        Raises:
            LocalStackError: The functions cannot be built, or the template does not deploy.
        """
        try:
            code = self._timed("build", local_bundle)
            self.outputs = self._timed(
                "deploy", lambda: deploy(self.client, self.name, code, parameters=parameters, template=template)
            )
        except (BuildError, DeploymentError, TemplateError) as error:
            raise LocalStackError(str(error)) from error

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS, always the same one for a service.

        Args:
            service: As boto3 names it.
        """
        if service not in self._clients:
            self._clients[service] = self._session.client(  # type: ignore[call-overload] # the name is a variable
                service, endpoint_url=self.endpoint, config=_CLIENT_CONFIG
            )
        return self._clients[service]

    def raise_error(self) -> None:
        """Raise where the emulator has ended.

        Raises:
            LocalStackError: It has; what it held is gone.
        """
        try:
            self._emulator.raise_if_ended()
        except EngineError as error:
            raise LocalStackError(str(error)) from error

    def log_groups(self) -> list[str]:
        """Names of the functions' log groups."""
        functions = self.client("lambda").list_functions()["Functions"]
        ours = set(self.outputs.values())
        return sorted(
            function.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function['FunctionName']}"
            for function in functions
            if function["FunctionName"] in ours
        )

    def logs(self) -> FunctionLogs:
        """Return a reader of what the functions log, from the beginning."""
        return FunctionLogs(self.client("logs"), self.log_groups())

    def functions(self) -> dict[str, dict[str, str]]:
        """Environment variables of each function, by logical id."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        return {
            resource["LogicalResourceId"]: self.client("lambda")
            .get_function_configuration(FunctionName=resource["PhysicalResourceId"])
            .get("Environment", {})
            .get("Variables", {})
            for resource in resources
            if resource["ResourceType"] == "AWS::Lambda::Function"
        }

    def settle(
        self,
        logs: FunctionLogs | None = None,
        *,
        on_poll: Callable[[], None] = lambda: None,
        patience_seconds: float = 120.0,
    ) -> None:
        """Wait until everything is processed: queues that feed a function empty, the stream projected, logs at rest.

        An invocation's lines come when it ends, so rest alone would not tell that the projector is still at work.
        Nobody else may publish meanwhile.

        Args:
            logs: A reader to read on with; None for a new one.
            on_poll: Called after each look.
            patience_seconds: How long nothing may move while something is left.

        Raises:
            LocalStackError: Something is left and nothing moves, or the emulator ended.
        """
        logs = logs or self.logs()
        queues = self._fed_queues()
        stream = StreamCount(self.client("dynamodbstreams"), self.outputs["SessionsStreamArn"])
        moved_at = time.monotonic()
        seen: tuple[int, tuple[int, ...]] | None = None
        while True:
            self.raise_error()
            logs.read()
            unprojected = max(0, stream.read() - logs.metrics["records"])
            depths = (*(self._depth(queue) for queue in queues), unprojected)
            on_poll()
            if seen != (logs.position, depths):
                moved_at, seen = time.monotonic(), (logs.position, depths)
            resting = time.monotonic() - moved_at
            if not any(depths) and resting >= _QUIET_SECONDS:
                return
            if resting > patience_seconds:
                raise LocalStackError(
                    f"nothing has moved for {patience_seconds:.0f} s, and {sum(depths)} messages and records are left"
                )
            time.sleep(_POLL_SECONDS)

    def _fed_queues(self) -> list[str]:
        mappings = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        names = [
            mapping["EventSourceArn"].rpartition(":")[2] for mapping in mappings if ":sqs:" in mapping["EventSourceArn"]
        ]
        return [self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"] for name in sorted(set(names))]

    def _depth(self, queue_url: str) -> int:
        """Count the messages of a queue: visible, in flight, delayed."""
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
        return sum(int(value) for name, value in attributes.items() if name.startswith("ApproximateNumberOfMessages"))

    def _timed(self, part: str, run: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return run()
        finally:
            self.parts[part] = time.monotonic() - began
