"""What it costs to take other systems' events: a canonical login read with and without their mappings, in one run.

`python -m ops.benchmark.recognition` prints a table.
"""

import json
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from ops.checkout import CHECKOUT
from providers.envelopes import read_events
from schemas.events import parse_event
from schemas.strict_json import load_json

_ROUNDS = 60
_CALLS = 200


def main() -> None:
    """Measure, interleaved, and print medians and ratios."""
    samples = CHECKOUT / "tests" / "events"
    canonical = (samples / "login.json").read_text(encoding="utf-8")
    detail = json.loads(canonical)
    wrapped = json.dumps({"id": "1", "source": "idp", "detail-type": "Login", "detail": detail})
    auth0 = (samples / "providers" / "auth0" / "login-eventbridge.json").read_text(encoding="utf-8")
    rows: dict[str, Callable[[], object]] = {
        "canonical login, parsed and nothing else": lambda: parse_event(load_json(canonical)),
        "canonical login": lambda: read_events(canonical, sent_at=None),
        "canonical login in an EventBridge event": lambda: read_events(wrapped, sent_at=None),
        "login of Auth0, by its mapping": lambda: read_events(auth0, sent_at=None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(_ROUNDS):
        for name, call in rows.items():
            began = time.process_time()
            for _ in range(_CALLS):
                call()
            seconds[name].append((time.process_time() - began) / _CALLS)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    floor = medians["canonical login, parsed and nothing else"]
    table = Table("Read", "Microseconds", "Ratio", title="Reading an event (CPU, medians, interleaved)")
    for name, median in medians.items():
        table.add_row(name, f"{median * 1e6:.1f}", f"{median / floor:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
