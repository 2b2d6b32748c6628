"""What went wrong, told once: a status or a failure of the connection becomes one of our errors.

No message holds a header, a query or a body: only the path, the status and the provider's request id.
"""

import os
import re
import ssl
from collections.abc import Mapping

import httpx

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

REQUEST_ID_HEADER = "X-LOX24-REQUEST-ID"


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


def error_for(status: int, path: str, headers: Mapping[str, str], *, refused: bool) -> ProviderError:
    """Return the error a status stands for.

    Args:
        status: Any but 200.
        path: For the message.
        headers: For request id and Retry-After.
        refused: Whether a wrong token was refused shortly before, which tells an auth block from load.
    """
    request_id = request_id_of(headers)
    error, hint = _meaning(status, refused=refused)
    return error(
        f"LOX24 answered {status} to {path}.",
        hint=hint,
        status=status,
        request_id=request_id,
        retry_after=_retry_after(headers),
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
    403: (AccountNotActive, "Activate the account, or give the key the right to read messages."),
    404: (NotFound, "Check SMS_ETL_LOX24_BASE_URL."),
}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds; its date form is rare and falls back to our own waits."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def unreachable(exc: httpx.TransportError, host: str, timeouts: Mapping[str, float]) -> Unreachable:
    """Return the error for an answer that never came.

    Args:
        exc: What httpx says.
        host: With its port.
        timeouts: That were kept to, in seconds: `connect` and `read`.
    """
    return Unreachable(
        f"{host} cannot be reached: {_said(exc, timeouts)}.",
        hint="Check the network and SMS_ETL_LOX24_BASE_URL; `sms-etl doctor` looks closer.",
    )


def _said(exc: httpx.TransportError, timeouts: Mapping[str, float]) -> str:
    if isinstance(exc, httpx.ConnectTimeout):
        return f"no connection within {timeouts['connect']:g} seconds"
    if isinstance(exc, httpx.TimeoutException):
        return f"no answer within {timeouts['read']:g} seconds"
    if isinstance(exc, httpx.UnsupportedProtocol):
        return str(exc)
    if isinstance(exc, httpx.RemoteProtocolError):
        return str(exc).partition(": ")[0].rstrip(".")  # behind the colon it quotes what the other side sent
    return _deepest_reason(exc) or type(exc).__name__


def _deepest_reason(exc: BaseException) -> str | None:
    """Return the system's own words, from below the layers that say only that something failed."""
    below = exc.exceptions[0] if isinstance(exc, BaseExceptionGroup) else exc.__cause__ or exc.__context__
    deeper = _deepest_reason(below) if below else None
    if deeper or not isinstance(exc, OSError):
        return deeper
    number = exc.errno or 0
    if isinstance(exc, ssl.SSLError) or number <= 0:  # numbers of their own; name look-ups count below zero
        return exc.strerror
    return os.strerror(number)  # where asyncio says only "Connect call failed"
