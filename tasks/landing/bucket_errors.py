"""What an object store answers when it cannot or will not, in the words of the landing zone.

Three kinds: the store is away (`StoreAwayError`, worth another try), it is set up wrongly (`ConfigurationError`), or
this one file is the trouble (the errors of zone.py). The AWS client is imported here only once something went wrong.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import ConfigurationError, SamkatError
from tasks.landing.zone import StoreAwayError, UnreadableFileError, not_landed

FIELD = "LANDING_URL"
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_NO_CONDITIONS = frozenset({"NotImplemented", "501"})
_BROKEN_CONDITION = frozenset({"PreconditionFailed", "412"})
_CONFLICT = frozenset({"ConditionalRequestConflict", "OperationAborted"})
_PASSING = frozenset(
    {"SlowDown", "RequestTimeout", "RequestTimeoutException", "Throttling", "ThrottlingException", "InternalError"}
    | {"ServiceUnavailable", "RequestLimitExceeded", "TooManyRequests", "BadDigest", "IncompleteBody"}
)
_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
)
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "301", "307", "AuthorizationHeaderMalformed", "InvalidBucketName"}
)


def code_of(error: Exception) -> str:
    """The store's own code of a refusal (`NoSuchKey`, `412`); empty for every other error."""
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def is_missing(error: Exception) -> bool:
    """Whether there is no such object."""
    return code_of(error) in _MISSING


def is_broken_condition(error: Exception) -> bool:
    """Whether a conditional request was refused because its condition does not hold (any more)."""
    return code_of(error) in _BROKEN_CONDITION


def is_over(error: Exception) -> bool:
    """Whether an upload in parts is over: it was finished already, or given up by a rule of the bucket."""
    return code_of(error) == "NoSuchUpload"


def is_without_conditions(error: Exception) -> bool:
    """Whether the store says that it does not know this condition. (Most that do not know one ignore it.)"""
    return code_of(error) in _NO_CONDITIONS


@contextmanager
def explained(place: str, what: str = "object store") -> Iterator[None]:
    """Errors of the AWS client become Samkat's; `place` is the key or URL that the request is about.

    `what` is asked: the object store, or the queue that its events go to.
    """
    try:
        yield
    except (SamkatError, StoreAwayError):
        raise
    except Exception as error:
        told = _in_our_words(error, place, what)
        if told is None:
            raise
        raise told from error


def _in_our_words(error: Exception, place: str, what: str) -> Exception | None:
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _refusal(error, place, what)
    if isinstance(error, boto.SSLError):
        return _wrong(f"the {what}'s certificate is not trusted: {error}", "set AWS_CA_BUNDLE to its authority")
    away = boto.ConnectionError | boto.HTTPClientError | boto.IncompleteReadError | boto.FlexibleChecksumError
    # Roles and tokens are fetched over the network as well.
    away |= boto.CredentialRetrievalError | boto.MetadataRetrievalError | boto.TokenRetrievalError
    if isinstance(error, away):
        return StoreAwayError(errno.ECONNABORTED, f"the {what} does not answer: {error}", place)
    if isinstance(error, boto.BotoCoreError) and not isinstance(error, boto.ParamValidationError):
        remedy = "set AWS_ENDPOINT_URL, AWS_REGION and credentials as the AWS client wants them (docs/landing.md)"
        return _wrong(f"the {what} cannot be used: {error}", remedy)
    return None


def _refusal(error: Exception, place: str, what: str) -> Exception:
    code = code_of(error)
    answer: dict[str, dict[str, object]] = error.response  # type: ignore[attr-defined]
    status = int(str(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0))
    message = str(answer.get("Error", {}).get("Message") or code)
    if code in _MISSING:
        return not_landed(place)
    if code == "NoSuchBucket":
        told = answer.get("Error", {})
        name = told.get("BucketName") or told.get("Resource") or place
        return _wrong(f"there is no such bucket: {name}", "create it; it is the first part of s3://bucket/prefix")
    if code in _CREDENTIALS:
        return _wrong(f"the {what} does not accept the credentials: {message}", "renew the AWS client's settings")
    if code == "RequestTimeTooSkewed":
        return _wrong(f"this machine's clock is wrong: {message}", "set the clock, best by NTP")
    if code in _ELSEWHERE:
        return _wrong(f"the bucket is elsewhere: {message}", "set AWS_REGION or AWS_ENDPOINT_URL to where it is")
    if code == "InvalidObjectState":
        remedy = "restore it there; a lifecycle rule must not move files that are still needed"
        return UnreadableFileError("lies in the object store's cold archive", file=place, remedy=remedy)
    if code in _PASSING or code in _CONFLICT or status == 429 or (status >= 500 and code not in _NO_CONDITIONS):
        return StoreAwayError(errno.EAGAIN, f"the {what} cannot do it now ({code}): {message}", place)
    if status in (401, 403):
        remedy = "give these credentials the rights that docs/landing.md lists (s3:ListBucket, s3:GetObject, ...)"
        return UnreadableFileError(f"the {what} denies it ({code})", file=place, remedy=remedy)
    return SamkatError(f"the {what} refuses it ({code}): {message}", file=place, remedy="see docs/landing.md")


def _wrong(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(cause, field=FIELD, remedy=remedy)
