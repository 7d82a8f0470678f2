"""Check the keys of signed tokens before they are deployed, by the rules that the functions apply when they start."""

from collections.abc import Mapping
from pathlib import Path

from ops.validation.configuration import SAM_CONFIGURATION, read_deployments
from providers.key_sets import KeySetError, read_key_sets

_PARAMETER = "TokenJwks"


def findings_in_token_keys(environment: Mapping[str, str], configuration: Path = SAM_CONFIGURATION) -> list[str]:
    """Describe what is wrong with the keys that are to be deployed; nothing where all is well.

    Args:
        environment: May have `TOKEN_JWKS`, the value to check.
        configuration: A `samconfig.toml`; `TokenJwks` in the `parameter_overrides` of any of its commands is checked.

    Raises:
        ConfigurationError: The file is not TOML.
    """
    values = [("TOKEN_JWKS", environment.get("TOKEN_JWKS", ""))]
    values += [
        (f"{deployment.where}: {_PARAMETER}", deployment.parameters.get(_PARAMETER, ""))
        for deployment in read_deployments(configuration)
    ]
    return [f"{where}: {problem}" for where, value in values if (problem := _problem(value)) is not None]


def _problem(value: str) -> str | None:
    try:
        if value:
            read_key_sets(value)
    except KeySetError as error:
        return str(error)
    return None
