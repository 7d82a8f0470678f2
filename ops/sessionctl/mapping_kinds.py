"""What the type of an event says by the words of its name: login, logout, logout of everything, or nothing of these."""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_KINDS = {
    "logout_all": """
        user deleted, user delete, account deleted, account delete, user suspended, user deactivated, user disabled,
        user blocked, user removed, logout all, global logout, global sign out
    """,
    "logout": """
        logout, logged out, log out, signout, sign out, signed out, session ended, session end, session revoked,
        session deleted, session removed, session expired, session terminated
    """,
    "login": """
        login, logged in, log in, signin, sign in, signed in, session created, session started, session start,
        authenticated, authentication succeeded, user authentication
    """,
}
_PHRASES = [(kind, [" ".join(phrase.split()) for phrase in text.split(",")]) for kind, text in _KINDS.items()]
"""The first kind that fits counts."""

_UNSUCCESSFUL = frozenset("fail failed failure error denied attempt challenge invalid refused".split())  # noqa: SIM905 (a list of words)


def words_of(name: str) -> list[str]:
    """Split a name into its words, in lower case: `userId`, `user_id` and `user.id` are the same two."""
    return [word.lower() for word in _WORD.findall(name)]


def kind_of(event_type: str) -> str:
    """Return `login`, `logout` or `logout_all`, as the name of a type says; empty for all else, and for failures."""
    words = words_of(event_type)
    if _UNSUCCESSFUL & set(words):
        return ""
    text = f" {' '.join(words)} "
    return next((kind for kind, phrases in _PHRASES if any(f" {phrase} " in text for phrase in phrases)), "")
