"""The certificate of a verification: what was compared, when, by which release, and the result."""

import json
import os
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ops.verification.comparing import Mismatch
from ops.verification.verifying import Verification
from schemas.times import format_rfc3339

FORMAT = 1
DISTRIBUTION = "session-event-processor"


def verification_document(result: Verification) -> dict[str, Any]:
    """Write the result of a verification as JSON."""
    return {
        "is_clean": result.is_clean,
        "scope": result.scope,
        "at": format_rfc3339(result.at),
        "finished_at": format_rfc3339(result.finished_at),
        "customers": result.customers,
        "session_items": result.session_items,
        "live_sessions": result.live_sessions,
        "inexact": result.inexact,
        "settled": result.settled,
        "differences": dict(sorted(Counter(mismatch.kind.value for mismatch in result.mismatches).items())),
        "mismatches": [_mismatch(mismatch) for mismatch in result.mismatches],
        "unreadable": list(result.unreadable),
        "not_named": result.not_named,
    }


def _mismatch(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "customer_id": mismatch.customer_id,
        "kind": mismatch.kind.value,
        "problem": mismatch.problem,
        "items": mismatch.items,
        "projection": mismatch.projection,
        "changed_at": None if mismatch.changed_at is None else format_rfc3339(mismatch.changed_at),
    }


def certificate(result: Verification, *, sessions_table: str, projections_table: str, stack: str) -> dict[str, Any]:
    """Write a certificate.

    Args:
        result: The verification.
        sessions_table: Name of the sessions table.
        projections_table: Name of the projections table.
        stack: What the user calls the stack.
    """
    return {
        "certificate": "verification",
        "format": FORMAT,
        "release": _release(),
        "stack": stack,
        "tables": {"sessions": sessions_table, "projections": projections_table},
        "reads": "strongly consistent",
        "result": "agrees" if result.is_clean else "differs",
        **verification_document(result),
    }


def _release() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # run from a checkout that nobody installed
        return "not installed"


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document for this user alone, whole or not at all: what was there before stays until it is complete.

    Raises:
        OSError: It cannot be written.
    """
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.absolute().parent, delete=False) as file:
        try:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
