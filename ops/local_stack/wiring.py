"""Make pollers of the template's event source mappings and asynchronous invocations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.event_sources.asynchronous import AsyncPoller, AsyncSettings
from ops.event_sources.filters import FilterCriteria
from ops.event_sources.sqs import SqsMapping, SqsPoller
from ops.event_sources.stream_batches import UNLIMITED, RetryPolicy
from ops.event_sources.streams import Discard, StreamMapping, StreamPoller
from ops.local_stack.lambda_function import LambdaFunction
from ops.local_stack.resources import LocalResources, MappingDefinition
from ops.local_stack.transports import DynamoDbStream, SqsQueue, batches_to_bucket, batches_to_queue, events_to_queue

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from ops.local_stack.pollers import Poller


@dataclass(frozen=True)
class EventSources:
    """Everything that feeds functions.

    Attributes:
        pollers: By the name that error messages use.
        queues: Those that have to be empty when everything is processed, by name.
    """

    pollers: Mapping[str, Poller]
    queues: Mapping[str, SqsQueue]


@dataclass(frozen=True)
class Wiring:
    """Connects resources, functions and clients.

    Attributes:
        functions: Function name to what runs it.
        retry_after_seconds: Replaces visibility timeout and retry delays; None keeps those of the template and Lambda.
    """

    resources: LocalResources
    functions: Mapping[str, LambdaFunction]
    sqs: SQSClient
    s3: S3Client
    streams: DynamoDBStreamsClient
    retry_after_seconds: int | None = None

    def connect(self) -> EventSources:
        """Make a poller for every event source mapping, and for every function that the bus invokes.

        Raises:
            ValueError: Lambda would refuse a mapping; the message says why.
        """
        pollers: dict[str, Poller] = {}
        queues: dict[str, SqsQueue] = {}
        for definition in self.resources.mappings:
            arn = definition.properties["EventSourceArn"]
            if _service(arn) == "sqs":
                queues[definition.logical_id] = SqsQueue(self.sqs, self.resources.queue_urls[arn])
                pollers[definition.logical_id] = self._sqs_poller(definition, queues[definition.logical_id])
            else:
                pollers[definition.logical_id] = self._stream_poller(definition)
        for function_name, url in self.resources.async_queues.items():
            queues[function_name] = SqsQueue(self.sqs, url)
            pollers[function_name] = self._async_poller(function_name, queues[function_name])
        return EventSources(pollers, queues)

    def _sqs_poller(self, definition: MappingDefinition, queue: SqsQueue) -> SqsPoller:
        properties = definition.properties
        mapping = SqsMapping(
            queue_arn=properties["EventSourceArn"],
            batch_size=int(properties.get("BatchSize", 10)),
            maximum_batching_window_seconds=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
            report_batch_item_failures=_reports_item_failures(properties),
            filters=_filters(properties),
            retry_after_seconds=self.retry_after_seconds,
        )
        return SqsPoller(mapping, queue, self._function(properties), time.time)

    def _stream_poller(self, definition: MappingDefinition) -> StreamPoller:
        properties = definition.properties
        default = RetryPolicy().first_retry_delay_seconds
        mapping = StreamMapping(
            stream_arn=properties["EventSourceArn"],
            starting_position=properties["StartingPosition"],
            batch_size=int(properties.get("BatchSize", 100)),
            maximum_batching_window_seconds=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
            parallelization_factor=int(properties.get("ParallelizationFactor", 1)),
            report_batch_item_failures=_reports_item_failures(properties),
            filters=_filters(properties),
            retry=RetryPolicy(
                bisect_batch_on_function_error=bool(properties.get("BisectBatchOnFunctionError", False)),
                maximum_retry_attempts=int(properties.get("MaximumRetryAttempts", UNLIMITED)),
                maximum_record_age_seconds=float(properties.get("MaximumRecordAgeInSeconds", UNLIMITED)),
                first_retry_delay_seconds=default if self.retry_after_seconds is None else self.retry_after_seconds,
            ),
        )
        stream = DynamoDbStream(self.streams, mapping.stream_arn)
        return StreamPoller(mapping, stream, self._function(properties), time.time, self._discard(definition))

    def _async_poller(self, function_name: str, queue: SqsQueue) -> AsyncPoller:
        properties = self.resources.async_settings.get(function_name, {})
        default = AsyncSettings()
        delays = default.retry_delays_seconds if self.retry_after_seconds is None else [self.retry_after_seconds]
        settings = AsyncSettings(
            maximum_retry_attempts=int(properties.get("MaximumRetryAttempts", default.maximum_retry_attempts)),
            maximum_event_age_seconds=float(
                properties.get("MaximumEventAgeInSeconds", default.maximum_event_age_seconds)
            ),
            retry_delays_seconds=delays,
        )
        function = self.functions[function_name]
        destination = _on_failure(properties)
        discard = destination and events_to_queue(
            self.sqs, self._destination_queue(destination), function_arn=function.arn
        )
        return AsyncPoller(settings, queue, function, time.time, discard or None)

    def _discard(self, definition: MappingDefinition) -> Discard | None:
        destination = _on_failure(definition.properties)
        if destination is None:
            return None
        arn = self._function(definition.properties).arn
        if _service(destination) == "s3":
            bucket = destination.rpartition(":")[2]
            return batches_to_bucket(self.s3, bucket, mapping_id=definition.mapping_id, function_arn=arn)
        return batches_to_queue(self.sqs, self._destination_queue(destination), function_arn=arn)

    def _destination_queue(self, arn: str) -> str:
        if arn not in self.resources.queue_urls:
            raise ValueError(f"on-failure destination {arn} is no queue of the template; the local stack needs one.")
        return self.resources.queue_urls[arn]

    def _function(self, properties: Mapping[str, Any]) -> LambdaFunction:
        return self.functions[self.resources.function(properties["FunctionName"]).name]


def _service(arn: str) -> str:
    return arn.split(":")[2]


def _on_failure(properties: Mapping[str, Any]) -> str | None:
    destination: str | None = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return destination


def _reports_item_failures(properties: Mapping[str, Any]) -> bool:
    return "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", [])


def _filters(properties: Mapping[str, Any]) -> FilterCriteria:
    return FilterCriteria(entry["Pattern"] for entry in properties.get("FilterCriteria", {}).get("Filters", []))
