"""Run the deployed template on this machine: no AWS account, no Docker.

Queues, tables, bus, rules and buckets are created from template.yaml on local engines, handlers are imported into this
process, and a poller for every event source mapping feeds them:

    with LocalStack() as stack:
        stack.client("events").put_events(...)
        stack.wait_until_drained(timeout=60)
        stack.client("dynamodb").scan(TableName=stack.outputs["SessionsTableName"])
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, get_args

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.engines.child_process import LOOPBACK, EngineError
from ops.engines.dynamodb_local import ENDPOINT_VARIABLE, dynamodb_endpoint
from ops.engines.embedded import moto_process
from ops.local_stack.environment import aws_settings, process_environment
from ops.local_stack.lambda_function import HandlerError, LambdaFunction, load_handler
from ops.local_stack.pollers import PollerError, Pollers, PollerThread
from ops.local_stack.resources import Clients, Function, LocalResources, ResourceCreator
from ops.local_stack.ttl_sweeper import TtlSweeper
from ops.local_stack.wiring import EventSources, Wiring
from ops.template.deployment import load_deployment
from ops.template.errors import TemplateError
from ops.template.parameters import PseudoParameters
from ops.template.translation import TEMPLATE_PATH

Engine: TypeAlias = Literal["moto", "dynamodb-local"]

_process_in_use = threading.Lock()

_CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"}, max_pool_connections=20)


class LocalStackError(Exception):
    """The local stack cannot start, or broke; the message says why."""


class LocalStack:
    """All of the template on this machine; a context manager, or `start` and `stop`.

    Only one can run in a process at a time: handlers read its environment variables.

    Attributes:
        outputs: The template's outputs, as `outputs["SessionEventsQueueUrl"]`; empty until started.
        endpoints: URL of the `tables` engine and of the one for all `others`; empty until started.
        function_environments: Environment variables of each function, by logical id; empty until started.
        region: The AWS region it stands for.
    """

    def __init__(
        self,
        engine: Engine = "moto",
        *,
        template: Path = TEMPLATE_PATH,
        parameters: Mapping[str, str] | None = None,
        retry_after_seconds: int | None = None,
        ttl_sweep_seconds: float = 30.0,
        bind: str = LOOPBACK,
        port: int | None = None,
    ) -> None:
        """Describe the stack, without starting anything.

        Args:
            engine: What tables live on: `moto` like everything else, or `dynamodb-local`, which means the endpoint
                that AWS_ENDPOINT_URL_DYNAMODB names or else a DynamoDB Local, fetched on demand.
            template: The SAM template.
            parameters: Values for its parameters.
            retry_after_seconds: When a failed record is tried again, so that a poison message reaches its dead-letter
                queue while one watches; None for the template's visibility timeout and Lambda's delays: minutes.
            ttl_sweep_seconds: How often items past their time to live are deleted, where the engine does not do it.
            bind: The address that the embedded engine listens on; 0.0.0.0 lets containers in, and the network.
            port: The embedded engine's port; None for one that is free.

        Raises:
            ValueError: There is no such engine.
        """
        if engine not in get_args(Engine):
            raise ValueError(f"engine {engine!r} is not known; there are {', '.join(get_args(Engine))}.")
        self.outputs: dict[str, str] = {}
        self.endpoints: dict[str, str] = {}
        self.function_environments: dict[str, dict[str, str]] = {}
        self.region = PseudoParameters().region
        self._engine = engine
        self._template = template
        self._parameters = parameters
        self._retry_after_seconds = retry_after_seconds
        self._ttl_sweep_seconds = ttl_sweep_seconds
        self._bind = bind
        self._port = port
        self._is_engine_shared = False
        self._running = ExitStack()
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = {}
        self._event_sources = EventSources({}, {})
        self._pollers: Pollers | None = None

    def __enter__(self) -> LocalStack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except LocalStackError:
            if error is None:  # otherwise the error that ended the block is the news
                raise

    def start(self) -> None:
        """Start the engines, create every resource, import the handlers, and start the pollers.

        Raises:
            LocalStackError: Something of it is not possible; what was started is stopped again.
        """
        if not _process_in_use.acquire(blocking=False):
            raise LocalStackError("another local stack runs in this process; handlers can only have one environment.")
        self._running.callback(_process_in_use.release)
        try:
            self._start()
        except (EngineError, TemplateError, HandlerError, ValueError) as error:
            self._running.close()
            raise LocalStackError(str(error)) from error
        except BaseException:
            self._running.close()
            raise

    def stop(self) -> None:
        """Stop pollers and engines, and restore the environment; nothing happens where it is stopped.

        Raises:
            LocalStackError: A poller had failed.
        """
        pollers, self._pollers = self._pollers, None
        try:
            if pollers is not None:
                pollers.stop()
        except PollerError as error:
            raise LocalStackError(str(error)) from error
        finally:
            self._running.close()

    def raise_error(self) -> None:
        """Raise what a poller failed with, if one did.

        Raises:
            LocalStackError: A poller failed; what it polls stands still.
        """
        if self._pollers is not None:
            try:
                self._pollers.raise_error()
            except PollerError as error:
                raise LocalStackError(str(error)) from error

    def wait_until_drained(self, timeout: float = 60.0) -> None:
        """Wait until every message and stream record is processed, and nothing waits for a retry.

        Nobody else may publish meanwhile. Queues that no function reads (rejected events, dead letters) do not count.

        Args:
            timeout: Seconds.

        Raises:
            LocalStackError: Something is left after that time, or a poller failed.
        """
        if self._pollers is None:
            raise LocalStackError("the stack is not running.")
        try:
            if not self._pollers.wait_until_drained(timeout):
                raise LocalStackError(f"not everything was processed within {timeout:g} s: {self._left()}.")
        except (PollerError, BotoCoreError, ClientError) as error:
            raise LocalStackError(str(error)) from error

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local engines, always the same one for a service.

        Args:
            service: As boto3 names it: `sqs`, `events`, `s3`, `dynamodb`, `dynamodbstreams`.

        Raises:
            LocalStackError: The stack is not running.
        """
        if self._session is None:
            raise LocalStackError("the stack is not running.")
        if service not in self._clients:
            endpoint = self.endpoints["tables" if service.startswith("dynamodb") else "others"]
            self._clients[service] = self._session.client(service, endpoint_url=endpoint, config=_CLIENT_CONFIG)  # type: ignore[call-overload] # the name is a variable
        return self._clients[service]

    def _start(self) -> None:
        pseudo = self._pseudo_parameters()
        deployment = load_deployment(self._template, self._parameters, pseudo)
        self._start_engines(pseudo)
        creator = ResourceCreator(self._service_clients(), pseudo)
        self._running.callback(self._delete_tables, creator.resources)
        creator.create_all(deployment)
        resources = creator.resources
        environment = self._environment(resources)
        self._running.enter_context(process_environment(environment))
        self.function_environments = {
            function.logical_id: {name: environment[name] for name in function.environment}
            for function in resources.functions.values()
        }
        self._start_pollers(resources)
        self.outputs = resources.outputs

    def _pseudo_parameters(self) -> PseudoParameters:
        """Name the stack so that its tables cannot collide with those of others in an engine that is shared."""
        pseudo = PseudoParameters()
        self._is_engine_shared = self._engine == "dynamodb-local" and bool(os.environ.get(ENDPOINT_VARIABLE))
        if not self._is_engine_shared:
            return pseudo
        return PseudoParameters(stack_name=f"{pseudo.stack_name}-{secrets.token_hex(4)}")

    def _start_engines(self, pseudo: PseudoParameters) -> None:
        others = self._running.enter_context(moto_process(self._bind, self._port)).endpoint
        tables = others if self._engine == "moto" else self._running.enter_context(dynamodb_endpoint())
        self.endpoints = {"tables": tables, "others": others}
        settings = aws_settings(region=pseudo.region, endpoint=others, dynamodb_endpoint=tables)
        self._running.enter_context(process_environment(settings, without_prefix="AWS_"))
        self._session = boto3.Session(region_name=pseudo.region)
        self._running.callback(self._forget_clients)

    def _forget_clients(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._session = None

    def _service_clients(self) -> Clients:
        return Clients(**{service: self.client(service) for service in ("dynamodb", "events", "s3", "sqs")})

    def _delete_tables(self, resources: LocalResources) -> None:
        """Leave nothing behind in an engine that others go on using."""
        if self._is_engine_shared:
            for table in resources.tables:
                self.client("dynamodb").delete_table(TableName=table.name)

    def _environment(self, resources: LocalResources) -> dict[str, str]:
        """Merge the environments of all functions, which share this process.

        Raises:
            LocalStackError: Two functions want different values in one variable.
        """
        merged: dict[str, str] = {}
        for function in resources.functions.values():
            for name, value in function.environment.items():
                if merged.setdefault(name, value) != value:
                    raise LocalStackError(
                        f"{function.name}: {name} is {value!r}, but {merged[name]!r} for another function; "
                        "the local stack runs all of them in one process."
                    )
        if self._engine == "moto" and "DYNAMODB_BATCH_STATEMENTS" in merged:
            merged["DYNAMODB_BATCH_STATEMENTS"] = "false"  # moto has no PartiQL worth using
        return merged

    def _start_pollers(self, resources: LocalResources) -> None:
        functions = {name: _load(function) for name, function in resources.functions.items()}
        wiring = Wiring(
            resources=resources,
            functions=functions,
            sqs=self.client("sqs"),
            s3=self.client("s3"),
            streams=self.client("dynamodbstreams"),
            retry_after_seconds=self._retry_after_seconds,
        )
        self._event_sources = wiring.connect()
        pollers = {**self._event_sources.pollers, **self._sweepers(resources)}
        threads = [PollerThread(name, poller) for name, poller in pollers.items()]
        self._pollers = Pollers(threads, lambda: not self._filled_queues())
        self._pollers.start()

    def _sweepers(self, resources: LocalResources) -> dict[str, TtlSweeper]:
        if self._engine != "moto":
            return {}
        return {
            f"TTL of {table.name}": TtlSweeper(
                self.client("dynamodb"),
                table.name,
                table.ttl_attribute,
                time.time,
                interval_seconds=self._ttl_sweep_seconds,
            )
            for table in resources.tables
            if table.ttl_attribute
        }

    def _filled_queues(self) -> list[str]:
        return [name for name, queue in self._event_sources.queues.items() if not queue.is_empty()]

    def _left(self) -> str:
        holding = [name for name, poller in self._event_sources.pollers.items() if not poller.is_idle]
        left = [f"{name} holds records back" for name in holding]
        left += [f"the queue of {name} is not empty" for name in self._filled_queues()]
        return "; ".join(left) or "records keep coming"


def _load(function: Function) -> LambdaFunction:
    return LambdaFunction(function.name, function.arn, load_handler(function.handler), function.timeout_seconds)
