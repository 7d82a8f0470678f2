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
    endpoint: str,
    container_host: str,
) -> None:
    """Write the file.

    Args:
        file: Overwritten.
        function_environments: Environment variables by logical id.
        endpoint: URL of the local AWS.
        container_host: What containers call this machine.
    """
    reachable = _from_containers(endpoint, container_host)
    document = {
        logical_id: {
            **{name: value.replace(endpoint, reachable) for name, value in environment.items()},
            "AWS_ENDPOINT_URL": reachable,
            "AWS_ENDPOINT_URL_DYNAMODB": reachable,
        }
        for logical_id, environment in function_environments.items()
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _from_containers(url: str, container_host: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{container_host}:{parts.port}").geturl()
