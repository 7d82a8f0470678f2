"""Measure the reading of events with the code of the checkout that it runs in, which may be an older one.

A process of `ops.benchmark.recognition`. The first line of its input is a JSON object with the `texts` to read by name,
the file that is `parsed` only, and how many `calls` are a round; each further line asks for a round.
"""

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from schemas.events import parse_event
from schemas.strict_json import load_json

if importlib.util.find_spec("schemas.envelopes") is not None:  # until the translation became a package of its own
    from schemas.envelopes import read_events  # type: ignore[import-not-found, unused-ignore] # of older commits
else:
    from providers.envelopes import read_events


def main() -> None:
    """Answer each line of standard input with a JSON object: seconds of CPU for one call, by name."""
    order = json.loads(sys.stdin.readline())
    canonical = (Path("tests/events") / order["parsed"]).read_text(encoding="utf-8")
    reads: dict[str, Callable[[], object]] = {
        "canonical login, parsed and nothing else": lambda: parse_event(load_json(canonical)),
        **{name: partial(read_events, text, sent_at=None) for name, text in order["texts"].items()},
    }
    for read in reads.values():
        read()
    print("{}", flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: _seconds(read, order["calls"]) for name, read in reads.items()}), flush=True)


def _seconds(read: Callable[[], object], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        read()
    return (time.process_time() - began) / calls


if __name__ == "__main__":
    main()
