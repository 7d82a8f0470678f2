"""Seeds that found something, and what. They are played by themselves, whatever else is."""

from typing import NamedTuple

from tests.simulation.faults import Fault


class Regression(NamedTuple):
    """A seed that once violated a claim."""

    seed: int
    what: str
    faults: list[Fault] | None = None
    """The faults it was played with; None: those drawn."""


_OPERATED = (
    "projection-deleted,session-deleted,restore,foreign-ttl,stale-index,ttl,many-workers,recomposition,"
    "trim-horizon-replay,parallel-partitions,crash-between,late-write,command-lost,duplicate-delivery"
)

REGRESSIONS = (
    Regression(119, "an item of the original schema, given an expiry by a login, was counted for ever"),
    Regression(597, "its old image, delivered again after the new expiry had passed, was counted for ever"),
    Regression(
        25, "a child session ended by two logouts without parent kept the later one's end; a replay then ended it anew"
    ),
    Regression(554, "the same where the child had been ended by a logout with parent"),
    Regression(
        22, "a child's image as live, delivered again, let its parent's end replace the child's own, of the same time"
    ),
    Regression(60, "the same where the parent had ended before the child did"),
    Regression(5710, "a session that the limit ended early came back, as its own later logout had not raised ttl"),
    Regression(5930, "the simulated queue held a message back behind a dead letter (nothing of ours)"),
    Regression(16414, "an ended item of the original schema got its ttl from a login, not from the logout before it"),
    Regression(
        3642, "an operator who touched everything anew after each failed request never came to an end (the world's)"
    ),
    Regression(
        3526, "a login that was written, and rejected for its age when it came again, was nobody's (the oracle's)"
    ),
    Regression(7513, "a publisher used a session again that it had logged out, after its tombstone (the world's)"),
    Regression(
        12904,
        "a birth was written after another one of its customer, deleted by hand meanwhile, and only a rebuild mends it",
    ),
    Regression(17655, "a backlog of new logins began while everything was delivered again (the world's)"),
    Regression(20915, "a projection born beside items of a release that was rolled back left them out, and said exact"),
    Regression(3887, "a tombstone without login, put back over its live session by hand, was not seen to end it"),
    Regression(
        274,
        "a count of a customer whose items were deleted and restored by hand differed from the register",
        [Fault(name) for name in _OPERATED.split(",")],
    ),
)
