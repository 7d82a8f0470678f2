"""Sending to an SQS queue, many messages at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from processors.item_store import error_code, forever

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
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Sequence[str], *, time_left: Callable[[], float] = forever) -> dict[int, str]:
        """Send messages, ASCII only, each of at most `MAX_MESSAGE_BYTES`; ten a request.

        Args:
            bodies: The messages.
            time_left: Seconds until the caller must have answered; nothing is sent once it is zero.

        Returns:
            The positions of those that were not sent, with the error's code. Nothing is raised.
        """
        failures: dict[int, str] = {}
        for chunk in _chunks(bodies):
            if time_left() <= 0:
                failures |= dict.fromkeys(chunk, "OutOfTime")
                continue
            entries = [{"Id": str(position), "MessageBody": bodies[position]} for position in chunk]
            try:
                response = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type] # dicts of that shape
            except (ClientError, BotoCoreError) as error:
                failures |= dict.fromkeys(chunk, error_code(error))
            else:
                sent = {int(entry["Id"]) for entry in response.get("Successful", ())}
                failures |= dict.fromkeys(set(chunk) - sent, "NotSent")
                failures |= {int(entry["Id"]): entry["Code"] for entry in response.get("Failed", ())}
        return failures


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
