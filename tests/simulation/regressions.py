"""Seeds that found something, and what. They are played by themselves, whatever else is."""

REGRESSIONS = {
    119: "an item of the original schema, given an expiry by a login, was counted for ever",
    597: "its old image, delivered again after the new expiry had passed, was counted for ever",
    25: "a child session ended by two logouts without parent kept the later one's end; a replay then ended it anew",
    554: "the same where the child had been ended by a logout with parent",
    22: "a child's image as live, delivered again, let its parent's end replace the child's own, of the same time",
    60: "the same where the parent had ended before the child did",
    5710: "a session that the limit ended early came back, as its own later logout had not raised ttl",
}
