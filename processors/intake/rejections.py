"""What stands in the rejected-events queue for an event that no retry can fix: pure."""

import json
from datetime import datetime
from hashlib import sha256

from processors.intake.masking import mask_body, mask_id
from processors.intake.vocabulary import Vocabulary
from schemas.errors import RejectedEventError
from schemas.times import format_rfc3339

MAX_REJECTION_BYTES = 250_000
"""Below the 256 KiB that every SQS queue takes."""


def rejection(error: RejectedEventError, *, message_id: str, body: str, now: datetime, vocabulary: Vocabulary) -> str:
    """Write the message for the rejected-events queue: a JSON object, ASCII, at most `MAX_REJECTION_BYTES`.

    `reason` says what to do; `body` is the original with everything masked that the vocabulary does not show, and
    `body_cut` says whether it was cut to fit;
    `body_sha256` is of the original, in UTF-8. `event_id` and `message_id` are masked where they look like no id.
    """
    masked = mask_body(body[:MAX_REJECTION_BYTES], vocabulary)  # cut first: masking takes time by the length
    fields = {
        "reason": error.reason,
        "event_id": error.event_id and mask_id(error.event_id),
        "message_id": mask_id(message_id),
        "rejected_at": format_rfc3339(now),
        "body_sha256": sha256(body.encode(errors="surrogatepass")).hexdigest(),
        "body": masked,
        "body_cut": len(body) > MAX_REJECTION_BYTES,
    }
    text = json.dumps(fields)
    length = len(masked)
    while len(text) > MAX_REJECTION_BYTES:
        length = min(length // 2, MAX_REJECTION_BYTES)
        text = json.dumps(fields | {"body": masked[:length], "body_cut": True})
    return text
