"""Takes the body of an answer, unpacked and bounded: it may be larger than what can be held."""

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Protocol

import httpx

from sms_etl.errors import BadAnswer
from sms_etl.providers.lox24.failures import request_id_of

MAX_BODY_BYTES = 16 * 1024 * 1024
"""A page is some hundred kilobytes; what is larger than this is not a page, and eight may come at once."""
ACCEPTED_ENCODING = "gzip"
_UNPACKED_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16


class Piecewise(Protocol):
    """Reads an answer that is too large to be held, and makes a smaller one of it."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raise ValueError if this cannot be read so."""

    def result(self) -> bytes:
        """Return the smaller answer; raise ValueError if it broke off."""


async def bounded_body(
    response: httpx.Response, path: str, piecewise: Callable[[], Piecewise] | None
) -> bytes:
    """Take an answer's body, unpacked, and never hold more of it than a page can be long.

    Args:
        response: The answer.
        path: For the error.
        piecewise: Makes what reads an answer that is too large; None: it is refused.
    """
    body = bytearray()
    reading = None
    announced = response.headers.get("Content-Length", "")
    try:
        if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
            reading = _begun(piecewise)
        async for piece in _unpacked(response, path):
            if reading is None:
                body += piece
                if len(body) <= MAX_BODY_BYTES:
                    continue
                reading, piece = _begun(piecewise), bytes(body)  # noqa: PLW2901 - what came so far
                body.clear()
            for start in range(0, len(piece), _PIECE_BYTES):
                reading.feed(piece[start : start + _PIECE_BYTES])
                await asyncio.sleep(0)  # for the other requests, and the deadline
        return bytes(body) if reading is None else reading.result()
    except ValueError as exc:
        raise _bad_body(
            response, f"The answer to {path} is larger than {MAX_BODY_BYTES // 1024**2} MiB."
        ) from exc


def _begun(piecewise: Callable[[], Piecewise] | None) -> Piecewise:
    if piecewise is None:
        raise ValueError("too large")
    return piecewise()


async def _unpacked(response: httpx.Response, path: str) -> AsyncIterator[bytes]:
    """Yield a body as it comes, unpacked a piece at a time: a small packed body can be a huge one."""
    encoding = response.headers.get("Content-Encoding", "identity")
    chunks: AsyncIterable[bytes] = response.stream  # type: ignore[assignment]  # of an asynchronous transport
    if encoding == "identity":
        async for chunk in chunks:
            yield chunk
        return
    if encoding != ACCEPTED_ENCODING:
        raise _bad_body(response, f"The answer to {path} is compressed in a way that was not asked for.")
    unpacker = zlib.decompressobj(_GZIP)
    async for chunk in chunks:
        packed = chunk
        while True:
            try:
                piece = unpacker.decompress(packed, _UNPACKED_BYTES)
            except zlib.error as exc:
                raise _bad_body(response, f"The answer to {path} is not compressed as it says.") from exc
            yield piece
            packed = unpacker.unconsumed_tail
            if not packed and len(piece) < _UNPACKED_BYTES:
                break


def _bad_body(response: httpx.Response, message: str) -> BadAnswer:
    return BadAnswer(
        message,
        hint="Something on the way may change answers: check proxies and SMS_ETL_LOX24_BASE_URL.",
        status=response.status_code,
        request_id=request_id_of(response.headers),
    )
