"""Known vulnerabilities of what the locks name: pip-audit, asked so that an answer that was not given is no good news.

pip-audit ends well where a service knows none of the distributions, as a mirror of PyPI that has only its files; here
that is an audit that was not done. Only the standard library is needed: it runs beside pip-audit, in `.venv-supply`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.checkout import CHECKOUT
from ops.packaging.package import REQUIREMENTS

SERVICES = ("pypi", "osv")
"""Who is asked, in turn, until one answers for each distribution of a lock."""
FOUND = 1
NOT_DONE = 3
"""Exit codes: a vulnerability is known; nobody could be asked. 2 is a wrong command."""
_PIP_AUDIT = (sys.executable, "-m", "pip_audit")
_HANGS_AFTER_SECONDS = 600
_SHOWN_CHARACTERS = 90


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """Why a service has given no full answer."""

    reason: str


def audit(*, ignored: Sequence[str] = (), pip_audit: Sequence[str] = _PIP_AUDIT) -> int:
    """Print the known vulnerabilities of each lock.

    Args:
        ignored: Ids of vulnerabilities that were looked at and do not concern us.
        pip_audit: The command.

    Returns:
        The exit code: 0, `FOUND` or `NOT_DONE`.
    """
    locks = [REQUIREMENTS, *sorted((CHECKOUT / "requirements").glob("*.txt"))]
    code = 0
    for lock in locks:
        name = lock.relative_to(CHECKOUT)
        answer = _ask(lock, ignored, pip_audit)
        if isinstance(answer, _Unanswered):
            problem = f"no service answers for all of {name} ({answer.reason}). Run it where the Internet is reached."
            print(f"audit: not done, because {problem}", file=sys.stderr)
            return code or NOT_DONE
        lines = [f"{name}: {line}" for one in answer for line in _vulnerabilities(one)]
        print("\n".join(lines) or f"{name}: {len(answer)} distributions, no known vulnerability")
        code = FOUND if lines else code
    return code


def _ask(lock: Path, ignored: Sequence[str], pip_audit: Sequence[str]) -> list[dict[str, Any]] | _Unanswered:
    reasons = []
    for service in SERVICES:
        answer = _ask_one(service, lock, ignored, pip_audit)
        if not isinstance(answer, _Unanswered):
            return answer
        reasons.append(f"{service}: {answer.reason}")
    return _Unanswered("; ".join(reasons))


def _ask_one(
    service: str, lock: Path, ignored: Sequence[str], pip_audit: Sequence[str]
) -> list[dict[str, Any]] | _Unanswered:
    """Have pip-audit ask a service for all of a lock."""
    options = [option for one in ignored for option in ("--ignore-vuln", one)]
    command = [
        *pip_audit,
        *("--vulnerability-service", service, "--requirement", str(lock), "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", *options),
    ]
    try:
        done = subprocess.run(  # noqa: S603 (it is ours)
            command, capture_output=True, text=True, check=False, timeout=_HANGS_AFTER_SECONDS
        )
        answered: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return _Unanswered(f"no answer within {_HANGS_AFTER_SECONDS} s")
    except ValueError:
        said = done.stderr.strip().splitlines() or [f"pip-audit ended with exit code {done.returncode}"]
        return _Unanswered(textwrap.shorten(said[-1], _SHOWN_CHARACTERS, placeholder=" …"))
    unknown = [one["name"] for one in answered if "skip_reason" in one]
    if unknown:
        return _Unanswered(f"it knows nothing of {len(unknown)} of {len(answered)}, {unknown[0]} the first")
    return answered


def _vulnerabilities(one: dict[str, Any]) -> list[str]:
    return [
        f"{one['name']} {one['version']} has {known['id']}, "
        + (f"fixed in {', '.join(known['fix_versions'])}" if known["fix_versions"] else "not fixed yet")
        for known in one["vulns"]
    ]
