"""The handlers of release 0.1.0, from its sources beside this module, in a process of their own."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

SOURCES = Path(__file__).with_name("release-0.1.0.tar.xz")
"""`processors` and `schemas` as released: a clone may be shallow, and a download has no history."""

_SERVE = """
import json, os, sys
from datetime import datetime
import processors, schemas
assert {os.path.dirname(os.path.dirname(each.__file__)) for each in (processors, schemas)} == {os.getcwd()}
from processors import clock, runtime, sqs_consumer, stream_projector

class Queues:
    def __init__(self):
        self.sent = []
    def send_message_batch(self, *, QueueUrl, Entries):
        self.sent += [[QueueUrl, entry["MessageBody"]] for entry in Entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}

queues, client, answers = Queues(), runtime.client, sys.stdout
runtime.client = lambda service: queues if service == "sqs" else client(service)
sys.stdout = sys.stderr
handlers = {"sqs_consumer": sqs_consumer, "stream_projector": stream_projector}
for line in sys.stdin:
    job = json.loads(line)
    clock.utc_now = lambda: datetime.fromisoformat(job["now"])
    answer = handlers[job["handler"]].lambda_handler(job["event"], None)
    print(json.dumps({"answer": answer, "sent": queues.sent}), file=answers, flush=True)
    queues.sent = []
"""


def unpack(folder: Path) -> Path:
    """Unpack the sources of the previous release; returns the folder."""
    with tarfile.open(SOURCES) as tar:
        tar.extractall(folder)  # noqa: S202 # our own release; the oldest Python that we run on knows no filter
    return folder


@dataclass
class PreviousRelease:
    """A running process of the previous release.

    Args:
        jobs: Takes a handler's event a line.
        answers: Gives its answer.
        now: The handlers' clock, aware UTC.
    """

    jobs: IO[str]
    answers: IO[str]
    now: datetime
    sent: list[tuple[str, str]] = field(default_factory=list)
    """What was sent to queues: each with its URL."""

    def invoke(self, handler: str, event: dict[str, Any]) -> Any:
        """Run a handler, and return its answer."""
        self.jobs.write(json.dumps({"handler": handler, "event": event, "now": self.now.isoformat()}) + "\n")
        self.jobs.flush()
        line = self.answers.readline()
        assert line, "the previous release ended; see the captured standard error"
        answered = json.loads(line)
        self.sent += [(url, body) for url, body in answered["sent"]]
        return answered["answer"]


@contextmanager
def serve(sources: Path, *, now: datetime, endpoint: str) -> Iterator[PreviousRelease]:
    """Start the previous release, with the tables that the environment names, on an engine."""
    environment = os.environ | {
        "PYTHONPATH": str(sources),
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    process = subprocess.Popen(  # noqa: S603 # the command is ours
        [sys.executable, "-c", _SERVE],
        cwd=sources,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield PreviousRelease(process.stdin, process.stdout, now)
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
