"""Sending to an SQS queue, many messages at a time."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import error_code
from processors.aws.parallel import run_all

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_MESSAGE_BYTES = 250_000
"""Most bytes of a request, and so of one message: below the 256 KiB that every SQS queue takes."""

_MAX_ENTRIES = 10


class MessageQueue:
    """An SQS queue to send to.

    Args:
        client: A boto3 SQS client.
        url: The queue's URL.
        concurrency: Most requests under way at a time.
    """

    def __init__(self, client: "SQSClient", url: str, *, concurrency: int = 1) -> None:
        self._client = client
        self._url = url
        self._concurrency = concurrency

    def send(self, bodies: Sequence[str], *, deadline: Deadline = NEVER) -> dict[int, str]:
        """Send messages, ASCII only, each of at most `MAX_MESSAGE_BYTES`; ten a request.

        Args:
            bodies: The messages.
            deadline: When the caller must have answered; nothing is sent after it.

        Returns:
            The positions of those that were not sent, with the error's code. Nothing is raised.
        """
        send = partial(self._send, bodies, deadline)
        failures: dict[int, str] = {}
        for failed in run_all(send, list(_chunks(bodies)), concurrency=self._concurrency):
            failures |= failed
        return failures

    def _send(self, bodies: Sequence[str], deadline: Deadline, chunk: list[int]) -> dict[int, str]:
        if deadline.expired:
            return dict.fromkeys(chunk, "OutOfTime")
        entries = [{"Id": str(position), "MessageBody": bodies[position]} for position in chunk]
        try:
            response = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type] # dicts of that shape
        except (ClientError, BotoCoreError) as error:
            return dict.fromkeys(chunk, error_code(error))
        sent = {int(entry["Id"]) for entry in response.get("Successful", ())}
        failures = dict.fromkeys(set(chunk) - sent, "NotSent")
        return failures | {int(entry["Id"]): entry["Code"] for entry in response.get("Failed", ())}


def _chunks(bodies: Sequence[str]) -> Iterator[list[int]]:
    chunk: list[int] = []
    size = 0
    for position, body in enumerate(bodies):
        if chunk and (len(chunk) == _MAX_ENTRIES or size + len(body) > MAX_MESSAGE_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(position)
        size += len(body)
    if chunk:
        yield chunk
