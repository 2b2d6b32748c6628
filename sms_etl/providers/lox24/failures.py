"""What went wrong, told once: a status or a failure of the connection becomes one of our errors.

No message holds a header, a query or a body: only the path, the status and the provider's request id.
"""

import re
from collections.abc import Mapping, Sequence

import httpx
import msgspec

from sms_etl.errors import (
    AccountNotActive,
    AuthBlocked,
    BadAnswer,
    BadRequest,
    NoFunds,
    NotFound,
    ProviderError,
    Throttled,
    Unauthorised,
    Unavailable,
    UnexpectedRedirect,
    Unreachable,
)
from sms_etl.providers.failures import retry_after, unreachable_at

REQUEST_ID_HEADER = "X-LOX24-REQUEST-ID"
_FIELD = re.compile(
    r"(sender_id|text|phones|msg_groups|service_code|delivery_at|is_unicode|is_text_deleted|source|voice_lang)"
    r"(\[[0-9]{1,6}\])?(?![A-Za-z_])"
)


class _Violation(msgspec.Struct):
    path: str = msgspec.field(name="propertyPath", default="")


class _Problem(msgspec.Struct):
    violations: list[_Violation] = []


UNREADABLE_ID = "unreadable"
"""What is told in place of a request id that is none; it is stored as null."""
_REQUEST_ID = re.compile(r"[0-9A-Za-z]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of a request, which is 32 letters and digits, or a UUID.

    None if the answer has none. What is something else is never passed on, for it may hold anything:
    `UNREADABLE_ID` then.
    """
    given = headers.get(REQUEST_ID_HEADER)
    if given is None or _REQUEST_ID.fullmatch(given):
        return given
    return UNREADABLE_ID


def refused_fields(body: bytes) -> Sequence[str]:
    """Return which fields of a bulk an error's body complains of, by their documented names, each once.

    Nothing else of a body is passed on: it may quote what was sent.
    """
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    paths = [_FIELD.match(violation.path) for violation in problem.violations]
    return tuple(dict.fromkeys(path[0] for path in paths if path))


def error_for(
    status: int, path: str, headers: Mapping[str, str], *, refused: bool, fields: Sequence[str] = ()
) -> ProviderError:
    """Return the error a status stands for.

    Args:
        status: Any that is no success.
        path: For the message.
        headers: For request id and Retry-After.
        refused: Whether a wrong token was refused shortly before, which tells an auth block from load.
        fields: That the provider refuses, for the message.
    """
    request_id = request_id_of(headers)
    error, hint = _meaning(status, refused=refused)
    because = f", because of {', '.join(fields)}" if fields else ""
    return error(
        f"LOX24 answered {status} to {path}{because}.",
        hint=hint,
        status=status,
        request_id=request_id,
        retry_after=retry_after(headers),
    )


def _meaning(status: int, *, refused: bool) -> tuple[type[ProviderError], str]:
    if status == 429:
        if refused:
            return AuthBlocked, "Wrong tokens were tried before: wait ten minutes, then use a right one."
        return Throttled, (
            "Too many requests: lower SMS_ETL_CONCURRENCY. If a wrong token was tried within the last ten "
            "minutes, every request is refused until they are over."
        )
    if status >= 500:
        return Unavailable, "LOX24 is out of order for the moment; run it again later, nothing is lost."
    if status < 300:
        return BadAnswer, "An answer without content is not what is documented here."
    if status < 400:
        return UnexpectedRedirect, "Check SMS_ETL_LOX24_BASE_URL; the token is not sent to another address."
    return _CLIENT_ERRORS.get(status, (BadRequest, "The request is not accepted; report it with its id."))


_CLIENT_ERRORS: dict[int, tuple[type[ProviderError], str]] = {
    401: (
        Unauthorised,
        "SMS_ETL_LOX24_TOKEN is wrong or inactive; it was tried once. Check it in LOX24's key settings.",
    ),
    402: (NoFunds, "Top up the account."),
    403: (AccountNotActive, "Activate the account, or give the key the right to do this."),
    404: (NotFound, "Check SMS_ETL_LOX24_BASE_URL."),
}


def unreachable(exc: httpx.TransportError, host: str, timeouts: Mapping[str, float]) -> Unreachable:
    """Return the error for an answer that never came; `NotSent` if the request cannot have arrived.

    Args:
        exc: What httpx says.
        host: With its port.
        timeouts: That were kept to, in seconds: `connect` and `read`.
    """
    return unreachable_at(host, exc, timeouts, setting="SMS_ETL_LOX24_BASE_URL")
