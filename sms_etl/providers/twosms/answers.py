"""Reads 2SMS's answers: a token, what a call removed, or the error that may stand in a 200. Pure.

No error quotes a number, a token or what was sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import msgspec

from sms_etl.errors import (
    AccountNotActive,
    BadAnswer,
    BadRequest,
    FeatureUnavailable,
    NotFound,
    ProviderError,
    RequestRefused,
    Throttled,
    Unauthorised,
    Unavailable,
    UnexpectedRedirect,
)
from sms_etl.plain_text import printable
from sms_etl.providers.failures import retry_after

TOKEN_PATH, MESSAGES_PATH = "/Token", "/api/v1/sms/messages"
LONGEST_TOKEN_LIFE = 8 * 3600.0
"""Seconds, as documented; assumed where an answer does not say."""
_MOST_CREDITS = Decimal(10) ** 12
_MOST_OF_A_REASON = 200
_VISIBLE = re.compile(r"[!-~]+")
_PLAIN_CODE = re.compile(r"-?[0-9]{1,5}|[A-Za-z][A-Za-z_.-]{0,39}[0-9]{0,4}")
_MAY_BE_PERSONAL = re.compile(r"\+?\d[\d\s()./-]{2,}\d|\S{33,}|\S+@\S+")
"""Numbers, tokens and addresses."""
_OF_A_RIGHT = re.compile(
    r"may not|not (?:allowed|permitted|enabled|available|authori)|permission|feature|disabled"
)
_CHECK_URL = "Check SMS_ETL_TWOSMS_BASE_URL."

_Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]


@dataclass(frozen=True, slots=True)
class Token:
    """What requests are authorised with."""

    text: str
    life: float
    """Seconds."""

    def __repr__(self) -> str:
        return f"Token(life={self.life})"


@dataclass(frozen=True, slots=True)
class Removal:
    """What a call expired and deleted."""

    expired: int
    """Advanced messages that the last try expired."""
    deleted: int
    """Messages whose contents the last try deleted; neither is all if an earlier answer was lost."""
    credits_used: Decimal | None
    """None if the answer does not say."""
    credits_remaining: Decimal | None
    attempts: int = 1
    """How often the request was made."""
    has_lost_answer: bool = False
    """Whether an earlier try may have been carried out, its answer being lost."""


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: msgspec.Raw = msgspec.Raw(b"null")


class _Error(msgspec.Struct):
    ErrorCode: int | str | None = None
    ErrorReason: str | None = None


class _Detail(msgspec.Struct):
    NoOfMessagesExpired: _Count
    NoOfMessagesDeleted: _Count
    NumberOfCreditsUsed: Decimal | None = None
    NumberOfCreditsRemaining: Decimal | None = None


class _Data(msgspec.Struct):
    Detail: _Detail


class _Answer(msgspec.Struct):
    Error: _Error | None = None
    ResponseData: _Data | None = None


def read_token(body: bytes) -> Token:
    """Read the answer to `POST /Token`.

    Raises:
        BadAnswer: It is something else.
    """
    try:
        answer = msgspec.json.decode(body, type=_TokenAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad_answer(TOKEN_PATH, "holds no token", body) from None
    if not _VISIBLE.fullmatch(answer.access_token):
        raise _bad_answer(TOKEN_PATH, "holds no token", body)
    said = bytes(answer.expires_in).strip(b'"')
    life = int(said) if said.isdigit() and len(said) < 10 else 0
    return Token(answer.access_token, min(life, LONGEST_TOKEN_LIFE) if life else LONGEST_TOKEN_LIFE)


def read_removal(body: bytes, *, contents: bool) -> Removal:
    """Read the answer to a deletion.

    Args:
        body: Of a 200.
        contents: Whether contents were to be deleted.

    Raises:
        RequestRefused: It is an error.
        FeatureUnavailable: The account cannot delete contents.
        BadAnswer: It is something else.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad_answer(MESSAGES_PATH, "is not as documented", body) from None
    if answer.Error is not None:
        raise _refusal(answer.Error, contents=contents)
    if answer.ResponseData is None:
        raise _bad_answer(MESSAGES_PATH, "says neither what was done nor why not", body)
    detail = answer.ResponseData.Detail
    amounts = (detail.NumberOfCreditsUsed, detail.NumberOfCreditsRemaining)
    if not all(each is None or (each.is_finite() and abs(each) < _MOST_CREDITS) for each in amounts):
        raise _bad_answer(MESSAGES_PATH, "counts credits that cannot be", body)
    if contents and detail.NoOfMessagesExpired and not detail.NoOfMessagesDeleted:
        raise _no_feature(
            f"2SMS expired {detail.NoOfMessagesExpired} messages and deleted the contents of none.", "", ""
        )
    return Removal(detail.NoOfMessagesExpired, detail.NoOfMessagesDeleted, *amounts)


def _refusal(error: _Error, *, contents: bool) -> RequestRefused:
    code, reason = _code(error.ErrorCode), _reason(error.ErrorReason or "")
    said = f"2SMS refused the deletion: error {code}{f', “{reason}”' if reason else ''}."
    # Its codes are not documented: only its words tell which right is missing.
    if contents and "delet" in reason.lower() and _OF_A_RIGHT.search(reason.lower()):
        return _no_feature(said, code, reason)
    return RequestRefused(
        said,
        hint="If the reason does not say what to do, ask 2SMS's support about this error.",
        status=200,
        code=code,
        reason=reason,
    )


def _no_feature(said: str, code: str, reason: str) -> FeatureUnavailable:
    return FeatureUnavailable(
        said,
        hint="Deleting contents is a feature of the account: ask 2SMS to enable it (`Delete`). Without it, "
        "advanced messages can be expired, and no more.",
        status=200,
        code=code,
        reason=reason,
    )


def _code(given: int | str | None) -> str:
    text = "unnamed" if given is None else str(given)
    return text if _PLAIN_CODE.fullmatch(text) else "unreadable"


def _reason(given: str) -> str:
    """Return the provider's words, without what may be a number, a token or an address."""
    scrubbed = _MAY_BE_PERSONAL.sub("…", printable(given[: _MOST_OF_A_REASON * 2].strip()))
    return scrubbed[:_MOST_OF_A_REASON].rstrip(".")


def _bad_answer(path: str, why: str, body: bytes) -> BadAnswer:
    form = " It is XML or HTML, where JSON was asked for." if body.lstrip()[:1] == b"<" else ""
    return BadAnswer(
        f"2SMS's answer to {path} {why}.{form}",
        hint="Something on the way may change answers: check proxies and SMS_ETL_TWOSMS_BASE_URL.",
        status=200,
    )


def error_for(status: int, path: str, headers: Mapping[str, str]) -> ProviderError:
    """Return the error a status stands for.

    Args:
        status: Any but 200.
        path: For the message.
        headers: For Retry-After.
    """
    error, hint = _meaning(status, path)
    return error(
        f"2SMS answered {status} to {path}.", hint=hint, status=status, retry_after=retry_after(headers)
    )


def _meaning(status: int, path: str) -> tuple[type[ProviderError], str]:
    if path == TOKEN_PATH and status in {400, 401}:
        return Unauthorised, (
            "SMS_ETL_TWOSMS_CLIENT_ID or SMS_ETL_TWOSMS_CLIENT_SECRET is wrong or inactive; the pair was "
            "tried once. Check it in 2SMS's portal."
        )
    if status == 429:
        return Throttled, "Too many requests; run it again later."
    if status >= 500:
        return Unavailable, "2SMS is out of order for the moment; run it again later."
    if status < 300:
        return BadAnswer, "An answer without content is not what is documented here."
    if status < 400:
        return UnexpectedRedirect, f"{_CHECK_URL} Credentials are not sent to another address."
    return _CLIENT_ERRORS.get(status, (BadRequest, "The request is not accepted; report it."))


_CLIENT_ERRORS: dict[int, tuple[type[ProviderError], str]] = {
    401: (
        Unauthorised,
        "2SMS does not take a token that it has just issued. Check the account's rights there.",
    ),
    403: (AccountNotActive, "Activate the account, or give it the right to use the API."),
    404: (NotFound, _CHECK_URL),
}
