"""The audit says what is known, and never takes silence for good news."""

import sys
from pathlib import Path
from typing import Any

import pytest

from ops.packaging.audit import FOUND, NOT_DONE, audit

CLEAN = {"name": "one", "version": "1.0", "vulns": []}
BAD = {
    "name": "two",
    "version": "1.0",
    "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}, {"id": "CVE-2", "fix_versions": []}],
}
UNKNOWN = {"name": "three", "skip_reason": "Dependency not found"}


def answering(folder: Path, **services: object) -> tuple[str, ...]:
    """A pip-audit for which each service answers so: with distributions, or with what it prints as it fails."""
    script = folder / "pip_audit.py"
    script.write_text(f"""
import json, sys
answer = {services!r}[sys.argv[sys.argv.index("--vulnerability-service") + 1]]
if isinstance(answer, str):
    sys.exit(answer)
if sys.argv[sys.argv.index("--requirement") + 1].endswith("requirements.txt"):
    answer = [one for one in answer if "--ignore-vuln" not in sys.argv or not one.get("vulns")]
else:
    answer = [one for one in answer if not one.get("vulns")]
print(json.dumps({{"dependencies": answer, "fixes": []}}))
sys.exit(any(one.get("vulns") for one in answer))
""")
    return sys.executable, str(script)


def test_a_vulnerability_is_told_with_its_lock_and_the_version_that_fixes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = audit(pip_audit=answering(tmp_path, pypi=[CLEAN, BAD]))

    lines = capsys.readouterr().out.splitlines()
    assert code == FOUND
    assert lines[:2] == [
        "requirements.txt: two 1.0 has CVE-1, fixed in 1.1",
        "requirements.txt: two 1.0 has CVE-2, not fixed yet",
    ]
    assert "requirements/dev.txt: 1 distributions, no known vulnerability" in lines


def test_a_vulnerability_that_was_looked_at_is_passed_over(tmp_path: Path) -> None:
    assert audit(ignored=["CVE-1", "CVE-2"], pip_audit=answering(tmp_path, pypi=[CLEAN, BAD])) == 0


def test_a_service_that_does_not_know_a_distribution_leaves_the_answer_to_the_next(tmp_path: Path) -> None:
    assert audit(pip_audit=answering(tmp_path, pypi=[CLEAN, UNKNOWN], osv=[CLEAN, BAD])) == FOUND


@pytest.mark.parametrize(
    ("services", "told"),
    [
        (
            {"pypi": [CLEAN, UNKNOWN], "osv": "ConnectionError: no network"},
            "it knows nothing of 1 of 2, three the first",
        ),
        ({"pypi": "Traceback\nConnectionError: no network", "osv": [UNKNOWN]}, "pypi: ConnectionError: no network;"),
        ({"pypi": "", "osv": ""}, "osv: pip-audit ended with exit code 1"),
    ],
)
def test_an_audit_that_nobody_answers_is_not_done_and_says_so_in_one_line(
    services: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit itself ends with 0 where a service knows none of the distributions."""
    code = audit(pip_audit=answering(tmp_path, **services))

    printed = capsys.readouterr()
    assert code == NOT_DONE
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("audit: not done, because no service answers for all of requirements.txt")
    assert told in line
