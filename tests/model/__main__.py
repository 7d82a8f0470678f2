"""Play many histories, with all rules or with each taken away: `python -m tests.model --histories 2500`."""

import argparse
import logging

from tests.model.history import History, Kinds
from tests.model.rules import RULES, without

KINDS = {
    "operators": Kinds(),
    "limit": Kinds(limit=1),
    "projection deletions": Kinds(projection_deletions=True),
    "projection deletions, lagging index": Kinds(projection_deletions=True, index_lag_at_deletion=1.0),
    "no operators": Kinds(removals=False, restores=False),
}


def main() -> None:
    """Print how many histories end wrong, by kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--histories", type=int, default=500, help="histories of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rules", action="store_true", help="take each rule away in turn")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for rule in [None, *RULES] if options.rules else [None]:
        with without(rule):
            counts = [_wrong(kinds, options.first, options.histories) for kinds in KINDS.values()]
        print(
            f"{rule or 'all rules'}: " + ", ".join(f"{name} {count}" for name, count in zip(KINDS, counts, strict=True))
        )


def _wrong(kinds: Kinds, first: int, histories: int) -> int:
    return sum(_is_wrong(seed, kinds) for seed in range(first, first + histories))


def _is_wrong(seed: int, kinds: Kinds) -> bool:
    try:
        return History(seed, kinds).play() is not None
    except AssertionError:
        return True


if __name__ == "__main__":
    main()
