"""Events as identity systems send them, each with what is expected of it in the file beside: `x.expected.json`.

Of a message that holds several events, a list is expected, in order.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "events" / "providers"


@dataclass(frozen=True)
class ProviderSample:
    """A message of an identity system, and what is expected of each event in it."""

    provider: str
    name: str
    content: Any
    expected: list[dict[str, Any]]

    @property
    def body(self) -> str:
        """The message's text; a token stands alone, without quotes."""
        return self.content if isinstance(self.content, str) else json.dumps(self.content)


def provider_samples() -> list[ProviderSample]:
    return [_sample(path) for path in sorted(DIRECTORY.glob("*/*.json")) if not path.name.endswith(".expected.json")]


def _sample(path: Path) -> ProviderSample:
    expected = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))
    return ProviderSample(
        path.parent.name,
        path.stem,
        json.loads(path.read_text(encoding="utf-8")),
        expected if isinstance(expected, list) else [expected],
    )
