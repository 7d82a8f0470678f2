"""`python -m ops.costs`: write `docs/limits.md`; with --check, say whether it is up to date."""

from __future__ import annotations

import sys

from ops.checkout import CHECKOUT
from ops.costs.page import render

PAGE = CHECKOUT / "docs" / "limits.md"


def main() -> int:
    """Write the page; with `--check` answer 1 where it is not up to date."""
    text = render()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write("docs/limits.md is not up to date: run python -m ops.costs\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
