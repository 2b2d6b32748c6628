"""What providers' failures have in common: why an answer never came, and how long to wait after one. Pure."""

import os
import ssl
from collections.abc import Mapping

import httpx

from sms_etl.errors import NotSent, Unreachable

_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""What fails while a connection is made, TLS and the way through a proxy included."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds; its date form is rare and falls back to our own waits."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def unreachable_at(
    host: str, exc: httpx.TransportError, timeouts: Mapping[str, float], *, setting: str
) -> Unreachable:
    """Return the error for an answer that never came; `NotSent` if the request cannot have arrived.

    Args:
        host: With its port.
        exc: What httpx says.
        timeouts: That were kept to, in seconds: `connect` and `read`.
        setting: Names the address, for the hint.
    """
    error = NotSent if isinstance(exc, _BEFORE_SENDING) else Unreachable
    return error(
        f"{host} cannot be reached: {_why(exc, timeouts)}.",
        hint=f"Check the network and {setting}; `sms-etl doctor` looks closer.",
    )


def _why(exc: httpx.TransportError, timeouts: Mapping[str, float]) -> str:
    """Return why an answer never came; nothing that was sent or answered is quoted."""
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
