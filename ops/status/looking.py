"""All lines of the status, looked at side by side; what cannot be looked at says so, and holds up no other."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.recovery.dead_letters import dead_letter_queues
from ops.status import alarms, functions, projections, roles, tables, waiting
from ops.status.lines import Commands, Line, State, several
from ops.status.policies import Deployed
from ops.validation.parameters import contradictions, notes
from processors.aws.errors import ReadError, ThroughputError
from schemas.errors import MalformedItemError

_AT_A_TIME = 8
_HARDLY_EVER = ("totals", "alarms", "ages")
_FINISHED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

Check = Callable[[], Line]


@dataclass(frozen=True)
class Looker:
    """Looks at a stack.

    Attributes:
        client: Gives a boto3 client by the service's name.
        stack_name: The stack's name in CloudFormation.
        outputs: Its outputs.
        commands: Writes the next commands.
        explain: Puts an error into words; names the IAM action that is lacking.
        clock: Aware UTC.
        wait: How long a change may take from the register to its projection.
    """

    client: Callable[[str], Any]
    stack_name: str
    outputs: Mapping[str, str]
    commands: Commands
    explain: Callable[[Exception], str | None]
    clock: Callable[[], datetime]
    wait: timedelta = timedelta(seconds=10)

    def look(self) -> list[Line]:
        """Look at everything; the lines are in the order in which people need them."""
        checks = list(self._checks())
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="status") as pool:
            return list(pool.map(self._line, [name for name, _ in checks], [check for _, check in checks]))

    def policy(self, role: str) -> dict[str, Any] | None:
        """Return the policy that a role should have, by the template; None for a role that is not there."""
        policies = self.deployed.policies(role) if role in self.deployed.roles() else {}
        return next(iter(policies.values()), None)

    @cached_property
    def deployed(self) -> Deployed:
        """What CloudFormation knows of the stack."""
        return roles.read_deployed(self.client("cloudformation"), self.stack_name)

    def _line(self, name: str, check: Check) -> Line:
        try:
            return check()
        except (ClientError, BotoCoreError, ReadError, ThroughputError, MalformedItemError) as error:
            state = State.NOTE if name in _HARDLY_EVER else State.UNKNOWN
            return Line(name, state, f"cannot be looked at: {self.explain(error) or error}")

    def _checks(self) -> Iterator[tuple[str, Check]]:
        """List what is looked at, each with its name."""
        outputs, commands, now = self.outputs, self.commands, self.clock()
        sqs, dynamodb, functions_client = (self.client(name) for name in ("sqs", "dynamodb", "lambda"))
        ages = self._ages(now)
        for name, output in (
            ("session events", "SessionEventsQueueUrl"),
            ("session commands", "SessionCommandsQueueUrl"),
        ):
            if output in outputs:
                yield (
                    f"queue: {name}",
                    partial(
                        waiting.flow_line,
                        sqs,
                        f"queue: {name}",
                        outputs[output],
                        commands,
                        age=ages.get(name),
                        function=outputs.get("SqsConsumerFunctionName", ""),
                        sleep=time.sleep,
                    ),
                )
        for queue in dead_letter_queues(outputs):
            yield f"dead letters: {queue.name}", partial(waiting.dead_letters_line, sqs, queue, commands, now)
        if "SessionsBusDeadLetterQueueUrl" in outputs:
            unpublished = outputs["SessionsBusDeadLetterQueueUrl"]
            yield waiting.UNPUBLISHED, partial(waiting.unpublished_line, sqs, unpublished, commands)
        rejected = outputs["RejectedEventsQueueUrl"]
        yield "rejected events", partial(waiting.rejected_line, sqs, rejected, commands, now)
        bucket = outputs["FailedBatchesBucketName"]
        yield "failed batches", partial(waiting.failed_batches_line, self.client("s3"), bucket, commands, now)
        yield "projections", self._projections
        if "ExpiryAgendaTableName" in outputs:
            agenda = outputs["ExpiryAgendaTableName"]
            group = self._log_group("ExpirySweeperLogGroup", outputs.get("ExpirySweeperFunctionName", ""))
            yield "expiries", partial(tables.expiry_line, dynamodb, agenda, group, commands, now)
        for part in functions.parts_of(outputs, self._log_group):
            yield f"function: {part.name}", partial(functions.function_line, functions_client, part, commands)
            if part.queues or part.reads_stream:
                yield f"mappings: {part.name}", partial(self._mappings, part)
        yield "rules", self._rules
        yield "permissions", lambda: roles.permissions_line(self.client("iam"), self.deployed, commands)
        sessions, projected = outputs["SessionsTableName"], outputs["ProjectionsTableName"]
        yield "table: sessions", partial(tables.sessions_table_line, dynamodb, sessions, commands)
        yield "table: projections", partial(tables.projections_table_line, dynamodb, projected, commands)
        yield "parameters", self._parameters
        yield "alarms", self._alarms
        yield "totals", partial(tables.totals_line, dynamodb, projected, now)

    def _ages(self, now: datetime) -> dict[str, timedelta]:
        urls = {
            "session events": self.outputs["SessionEventsQueueUrl"],
            "session commands": self.outputs.get("SessionCommandsQueueUrl", ""),
        }
        try:
            return waiting.oldest_ages(self.client("cloudwatch"), urls, now)
        except (ClientError, BotoCoreError, KeyError):
            return {}  # the depths are what counts, and an emulator may lack the metric

    def _stream_arn(self) -> str:
        table = self.client("dynamodb").describe_table(TableName=self.outputs["SessionsTableName"])["Table"]
        return str(table.get("LatestStreamArn", ""))

    def _projections(self) -> Line:
        sessions, projected = self.outputs["SessionsTableName"], self.outputs["ProjectionsTableName"]
        dynamodb, streams = self.client("dynamodb"), self.client("dynamodbstreams")
        customers = projections.some_customers(dynamodb, streams, sessions, projected, self._stream_arn())
        has_batches = self.deployed.parameters.get("DynamoDbBatchStatements") != "false"
        verifier = projections.verifier_of(dynamodb, sessions, projected, self.wait, batch_statements=has_batches)
        return projections.projections_line(verifier, customers, self.commands)

    def _mappings(self, part: functions.Part) -> Line:
        return functions.mappings_line(self.client("lambda"), part, self._stream_arn(), self.commands)

    def _rules(self) -> Line:
        found = [
            functions.Rule(
                name, physical.rpartition("|")[2], self.deployed.property_of(name, "EventBusName") or "default"
            )
            for name, physical in sorted(self.deployed.resources.items())
            if self.deployed.type_of(name) == "AWS::Events::Rule"
        ]
        return functions.rules_line(self.client("events"), found, self.commands)

    def _parameters(self) -> Line:
        wrong = list(contradictions(self.deployed.parameters))
        if wrong:
            return Line("parameters", State.WAITS, "; ".join(wrong), [f"sam deploy --stack-name {self.stack_name}"])
        surprising = list(notes(self.deployed.parameters))
        if surprising:
            return Line("parameters", State.NOTE, "; ".join(surprising))
        return Line(
            "parameters", State.OK, f"{several(len(self.deployed.parameters), 'parameter')} without contradiction"
        )

    def _alarms(self) -> Line:
        types = {name: self.deployed.type_of(name) for name in self.deployed.resources}
        return alarms.alarms_line(self.client("cloudwatch"), self.deployed.resources, types, self.commands)

    def _log_group(self, logical_id: str, function: str) -> str:
        try:
            return self.deployed.resources.get(logical_id) or f"/aws/lambda/{function}"
        except (ClientError, BotoCoreError):
            return f"/aws/lambda/{function}"
