"""Seeds that found something, and what. They are played by themselves, whatever else is."""

REGRESSIONS = {
    5: "an item of the original schema, given an expiry by a login, was counted for ever",
    20: "its old image, delivered again after the new expiry had passed, was counted for ever",
    83: "a child session ended by two logouts without parent kept the later one's end; a replay then ended it anew",
    463: "the same where the child had been ended by a logout with parent",
}
