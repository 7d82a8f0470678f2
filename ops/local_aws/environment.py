"""The environment variables that point boto3, the AWS CLI and SAM at the local AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

ACCESS_KEY = "local"
"""Access key id and secret: the emulator accepts any."""


@contextmanager
def process_environment(variables: Mapping[str, str], *, without_prefix: str | None = None) -> Iterator[None]:
    """Set variables of this process; all is as before at the end.

    Args:
        variables: What to set.
        without_prefix: Remove all other variables that begin so.
    """
    before = dict(os.environ)
    if without_prefix is not None:
        for name in [name for name in os.environ if name.startswith(without_prefix)]:
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def aws_settings(*, region: str, endpoint: str, dynamodb_endpoint: str | None = None) -> dict[str, str]:
    """Return the variables that send boto3 to a local endpoint; DynamoDB may have one of its own.

    With these and no other AWS_ variable nothing of the user's own AWS configuration stays in effect, so that no call
    can reach a real account.
    """
    users_own = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    not_proxied = [name for name in (users_own, urlsplit(endpoint).hostname) if name]
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_endpoint or endpoint,
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": dynamodb_endpoint or endpoint,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Later versions of botocore put the account's id into the host name otherwise, which no local engine knows.
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "NO_PROXY": ",".join(not_proxied),
        "no_proxy": ",".join(not_proxied),
    }
