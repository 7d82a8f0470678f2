"""The functions' environment for containers: what `sam local invoke --env-vars` reads.

Source: AWS SAM Developer Guide, "Invoke with environment variables": a JSON object per logical id. SAM passes on only
what the template declares, so the template declares AWS_ENDPOINT_URL as well, without a value.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


def write_env_vars(
    file: Path,
    function_environments: Mapping[str, Mapping[str, str]],
    endpoints: Mapping[str, str],
    container_host: str,
) -> None:
    """Write the file.

    Args:
        file: Overwritten.
        function_environments: Environment variables by logical id.
        endpoints: URLs of the engines: the `tables` and all `others`.
        container_host: What containers call this machine.
    """
    reachable = {url: _from_containers(url, container_host) for url in endpoints.values()}
    document = {
        logical_id: {
            **{name: _rewritten(value, reachable) for name, value in environment.items()},
            "AWS_ENDPOINT_URL": reachable[endpoints["others"]],
            "AWS_ENDPOINT_URL_DYNAMODB": reachable[endpoints["tables"]],
        }
        for logical_id, environment in function_environments.items()
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _from_containers(url: str, container_host: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{container_host}:{parts.port}").geturl()


def _rewritten(value: str, reachable: Mapping[str, str]) -> str:
    """Replace an engine's URL at the beginning: queue URLs have it."""
    for url, replacement in reachable.items():
        if value.startswith(url):
            return replacement + value[len(url) :]
    return value
