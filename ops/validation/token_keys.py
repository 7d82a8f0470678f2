"""Check the keys of signed tokens before they are deployed, by the rules that the functions apply when they start."""

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.checkout import CHECKOUT
from providers.key_sets import KeySetError, read_key_sets

SAM_CONFIGURATION = CHECKOUT / "samconfig.toml"
_PARAMETER = "TokenJwks"


def findings_in_token_keys(environment: Mapping[str, str], configuration: Path = SAM_CONFIGURATION) -> list[str]:
    """Describe what is wrong with the keys that are to be deployed; nothing where all is well.

    Args:
        environment: May have `TOKEN_JWKS`, the value to check.
        configuration: A `samconfig.toml`; `TokenJwks` in the `parameter_overrides` of any of its commands is checked.
    """
    values = [("TOKEN_JWKS", environment.get("TOKEN_JWKS", ""))]
    if configuration.exists():
        try:
            values += _configured(tomllib.loads(configuration.read_text(encoding="utf-8")), configuration.name)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            return [f"{configuration.name}: not valid TOML: {error}"]
    return [f"{where}: {problem}" for where, value in values if (problem := _problem(value)) is not None]


def _problem(value: str) -> str | None:
    try:
        if value:
            read_key_sets(value)
    except KeySetError as error:
        return str(error)
    return None


def _configured(content: Any, path: str) -> Iterator[tuple[str, str]]:
    """Find the parameter's values. Source: AWS SAM CLI configuration file, `<environment>.<command>.parameters`."""
    if not isinstance(content, dict):
        return
    for name, value in content.items():
        where = f"{path}.{name}"
        if name == "parameter_overrides":
            overrides = shlex.split(value) if isinstance(value, str) else value
            for override in map(str, overrides):
                key, _, text = override.removeprefix("ParameterKey=").replace(",ParameterValue=", "=", 1).partition("=")
                if key == _PARAMETER:
                    yield f"{where}: {_PARAMETER}", text
        else:
            yield from _configured(value, where)
