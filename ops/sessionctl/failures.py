"""Errors in one line that says what to do."""

# ruff: noqa: PLC0415 (botocore takes half a second to import, and where nothing fails nothing here runs)

import errno
import re
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
_DENIED = frozenset(
    {
        "403",  # a HEAD request has no body that could say more
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "KMS.AccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
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

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_NAMED_ACTION = re.compile(r"not authorized to perform:?\s+([\w-]+:\w+)", re.IGNORECASE)
_SERVICES = {
    "dynamodb": "dynamodb",
    "sqs": "sqs",
    "events": "events",
    "s3": "s3",
    "lambda": "lambda",
    "logs": "logs",
    "cloudformation": "cloudformation",
    "cloudwatch": "cloudwatch",
    "dynamodbstreams": "dynamodb",
    "firehose": "firehose",
}
"""Prefix of the IAM actions of each service that commands call, by boto3's name."""
_OTHER_ACTIONS = {
    "BatchExecuteStatement": "dynamodb:PartiQLSelect, PartiQLInsert and PartiQLUpdate",
    "ExecuteStatement": "dynamodb:PartiQLSelect",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "SendMessageBatch": "sqs:SendMessage",
    "DeleteObjects": "s3:DeleteObject",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "Invoke": "lambda:InvokeFunction",
    "ListObjectsV2": "s3:ListBucket",
}
"""Operations that need an action of another name. Source: Service Authorization Reference."""

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
        has_no_room = error.errno in _NO_ROOM
        name = (error.filename2 if has_no_room else None) or error.filename  # of a copy, that which has no room
        line = f"{name}: {error.strerror}" if name else str(error)
        if has_no_room:
            line += ": free some disk, or write to another one"
    else:
        line = _explain_duckdb(error) if "duckdb" in sys.modules else None
        if line is None and "botocore" in sys.modules:  # else it is none of theirs, and --help waits for no import
            line = _explain_aws(error)
    return None if line is None else " ".join(line.split())


def is_denied(error: "ClientError") -> bool:
    """Whether a permission is missing."""
    return error.response["Error"].get("Code") in _DENIED


def _explain_duckdb(error: Exception) -> str | None:
    import duckdb

    says = f"DuckDB says: {str(error).splitlines()[0]}" if str(error) else ""
    match error:
        case duckdb.InterruptException():
            return "interrupted; what an earlier run wrote is as it was, and running it again is safe"
        case duckdb.OutOfMemoryException():
            return (
                "DuckDB has no room left: what does not fit into memory goes to files beside the report, 0.6 GB a "
                f"million sessions, so free some disk, or choose another one with --out (of `sql`: with TMPDIR). {says}"
            )
        case duckdb.IOException() | duckdb.TransactionException() | duckdb.FatalException():
            return f"DuckDB cannot write its files: free some disk, or choose another one with --out or TMPDIR. {says}"
        case _:
            return None


def _explain_aws(error: Exception) -> str | None:  # noqa: PLR0911 (a line per error)
    from botocore.exceptions import BotoCoreError, ClientError

    from processors.aws.errors import ReadError, ThroughputError
    from processors.projection_table import NotWrittenError
    from schemas.errors import MalformedItemError, NewerFormatError

    match error:
        case ReadError() if isinstance(error.__cause__, Exception):
            return _explain_aws(error.__cause__)
        case ClientError():
            return _refused(error)
        case BotoCoreError():
            return _never_answered(error)
        case NotWrittenError():
            return f"{error} could not be written: the table is throttled or busy; try again in a moment"
        case ThroughputError():
            return f"the table is throttled: {error}; try again in a moment"
        case NewerFormatError():
            return f"{error}: a later release wrote it; update sessionctl"
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
    if is_denied(error):
        return (
            f"access denied for {error.operation_name}: have {denied_action(error)} allowed for this role, or choose "
            f"another --profile. AWS says: {message or 'nothing more'}"
        )
    if code in _THROTTLED:
        return f"AWS throttles {error.operation_name}: try again in a moment"
    if code in _GONE:
        return f"{error.operation_name}: what the stack's outputs name is not there ({code}): was it deleted?"
    return f"{error.operation_name} was refused: {code}: {message}"


def denied_action(error: "ClientError") -> str:
    """Name the IAM action that a role lacks: the one that AWS names, else the one that the operation needs."""
    named = _NAMED_ACTION.search(error.response["Error"].get("Message", ""))
    if named is not None:
        return named[1]
    operation = error.operation_name
    return _OTHER_ACTIONS.get(operation) or f"{_prefix_of(operation)}{operation}"


def _prefix_of(operation: str) -> str:
    from botocore.session import get_session

    session = get_session()
    for service, prefix in _SERVICES.items():
        if operation in session.get_service_model(service).operation_names:
            return f"{prefix}:"
    return ""


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
