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
    "one session, few ends": Kinds(sessions=1, ends=0.05, rebuilds=False, replays=4),
    "deletions alone": Kinds(sessions=2, ends=0.05, restores=False, rebuilds=False, replays=4),
    "all at once": Kinds(sessions=2, removals=False, restores=False, replays=4, hurries=True),
    "clocks differ": Kinds(sessions=2, projection_deletions=True, replays=4, clocks_differ=True, hurries=True),
    "limit, clocks differ": Kinds(limit=1, ends=0.1, replays=4, clocks_differ=True),
}


def main() -> None:
    """Print how many histories end wrong, by kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--histories", type=int, default=500, help="histories of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rules", action="store_true", help="take each rule away in turn")
    parser.add_argument(
        "--rule", choices=RULES, action="append", default=[], help="take this one away; may be repeated"
    )
    parser.add_argument("--until-caught", action="store_true", help="go on to the next rule once a history ends wrong")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for rule in options.rule or ([None, *RULES] if options.rules else [None]):
        with without(rule):
            found = _play(options.first, options.histories, until_caught=options.until_caught)
        print(f"{rule or 'all rules'}: {found}", flush=True)


def _play(first: int, histories: int, *, until_caught: bool) -> str:
    """Play histories of all kinds, a seed of each in turn."""
    wrong = dict.fromkeys(KINDS, 0)
    for seed in range(first, first + histories):
        for name, kinds in KINDS.items():
            wrong[name] += _is_wrong(seed, kinds)
            if until_caught and wrong[name]:
                return f"caught by {name}, seed {seed}"
    return ", ".join(f"{name} {count}" for name, count in wrong.items())


def _is_wrong(seed: int, kinds: Kinds) -> bool:
    try:
        return History(seed, kinds).play() is not None
    except AssertionError:
        return True


if __name__ == "__main__":
    main()
