"""Errors in one line that says what to do."""

# ruff: noqa: PLC0415 (botocore takes half a second to import, and where nothing fails nothing here runs)

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized"})
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_GONE = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "TableNotFoundException",
    }
)
"""Error codes. Sources: "Common Errors" of each service's API reference, and its own errors."""

_RENEW = "renew them, for example with `aws sso login`"


class CannotRunError(Exception):
    """A command cannot do what it was asked; the message is one line and says what to do."""


def explain(error: Exception) -> str | None:
    """Put an error into a line that says what to do.

    Returns:
        The line, or None for an error that nobody foresaw.
    """
    if isinstance(error, BrokenPipeError):
        return None  # whoever read our output has enough: typer knows what to do
    line: str | None
    if isinstance(error, CannotRunError):
        line = str(error)
    elif isinstance(error, OSError):
        line = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    elif "botocore" in sys.modules:  # otherwise it is none of theirs, and --help need not wait for an import
        line = _explain_aws(error)
    else:
        line = None
    return None if line is None else " ".join(line.split())


def _explain_aws(error: Exception) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError

    from processors.aws.errors import ThroughputError
    from schemas.errors import MalformedItemError

    match error:
        case ClientError():
            return _refused(error)
        case BotoCoreError():
            return _never_answered(error)
        case ThroughputError():
            return f"the table is throttled: {error}; try again in a moment"
        case MalformedItemError():
            return f"{error}; repair or delete the item"
        case _:
            return None


def _refused(error: "ClientError") -> str:
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return f"the AWS credentials have expired: {_RENEW}, or choose others with --profile"
    if code in _UNKNOWN_CREDENTIALS:
        return f"AWS does not know these credentials ({code}): check --profile and AWS_ACCESS_KEY_ID"
    if code in _DENIED:
        return (
            f"access denied for {error.operation_name}: have it allowed for this role, or choose another --profile. "
            f"AWS says: {message}"
        )
    if code in _THROTTLED:
        return f"AWS throttles {error.operation_name}: try again in a moment"
    if code in _GONE:
        return f"{error.operation_name}: what the stack's outputs name is not there ({code}): was it deleted?"
    return f"{error.operation_name} was refused: {code}: {message}"


def _never_answered(error: "BotoCoreError") -> str:  # noqa: PLR0911 (a line per error)
    from botocore import exceptions as aws

    match error:
        case aws.NoCredentialsError() | aws.PartialCredentialsError():
            return "no AWS credentials: log in (`aws sso login`, `aws configure`), or choose a --profile that has some"
        case aws.TokenRetrievalError() | aws.SSOError() | aws.CredentialRetrievalError():
            return f"the AWS credentials cannot be fetched or have expired: {_RENEW}. botocore says: {error}"
        case aws.ProfileNotFound():
            return f"{error}: `aws configure list-profiles` shows those there are"
        case aws.NoRegionError():
            return "no AWS region: give --region, or set AWS_DEFAULT_REGION"
        case aws.InvalidRegionError():
            return f"{error}: give --region a name like eu-west-1"
        case aws.ConnectionError() | aws.HTTPClientError():
            what = str(error).rstrip(".")
            return f"{what}. Check the network, --region and AWS_ENDPOINT_URL; if it is the local stack, start it again"
        case _:
            return f"AWS cannot be called: {error}"
