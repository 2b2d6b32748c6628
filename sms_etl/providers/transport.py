"""Carries httpx's requests by aiohttp, whose parser is in C: a page costs a third of what httpcore takes.

What can go wrong on the way keeps its name: an error of aiohttp becomes the error httpx has for it. A request
is sent once; aiohttp would send it again on a connection that had gone stale, and the ledger would not know.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from sms_etl.web.loopback import is_loopback

_BUFFER_BYTES = 1024**2
"""A page fits in: reading is not paused in its middle."""

# The first that fits: aiohttp's classes overlap.
_MEANINGS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.TransportError),
    (TimeoutError, httpx.TimeoutException),
    (ValueError, httpx.LocalProtocolError),
)
_SAYINGS: Mapping[type[Exception], str] = {
    aiohttp.ServerDisconnectedError: "Server disconnected without sending a response",
    aiohttp.ClientPayloadError: "Peer closed connection without sending the whole body",
    aiohttp.ClientResponseError: "What was answered is not HTTP",
    ValueError: "The request has a header that cannot be sent",
}
"""In place of aiohttp's own words, which may quote what was sent or answered."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests over connections kept alive; proxies are taken from the environment, as httpx does.

    Args:
        connections: Most at once.
        is_kept: Otherwise each request has a connection of its own.
    """

    def __init__(self, connections: int, *, is_kept: bool = True) -> None:
        self._connections = connections
        self._is_kept = is_kept
        self._session: ClientSession | None = None
        self._origin = ""
        self._proxy: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its body comes as it arrives.

        Raises:
            httpx.TransportError: See its subclasses.
        """
        session = self._session or self._open(request.url)
        timeout = request.extensions["timeout"]
        target = request.extensions.get("target", request.url.raw_path).decode("ascii")
        with _named():
            response = await session.request(
                request.method,
                URL(self._origin + target, encoded=True),
                headers=_headers(request),
                data=request.content or None,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=ClientTimeout(sock_connect=timeout["connect"], sock_read=timeout["read"]),
            )
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self, url: httpx.URL) -> ClientSession:
        self._origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        self._proxy = _proxy_for(url)
        self._session = ClientSession(
            connector=TCPConnector(
                limit=self._connections,
                ssl=httpx.create_ssl_context() if url.scheme == "https" else True,
                force_close=not self._is_kept,
            ),
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            read_bufsize=_BUFFER_BYTES,
        )
        self._session._retry_connection = False  # private, as there is no other way; a test holds it
        return self._session


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it arrives."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _named():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        """Return the connection back if the body was read to its end, and close it otherwise."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _proxy_for(url: httpx.URL) -> str | None:
    """Look once for what the environment says; aiohttp would look at each request, in a thread.

    Raises:
        httpx.UnsupportedProtocol: It names a proxy of another kind; its address may hold a password.
    """
    if is_loopback(str(url)) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy and not proxy.startswith(("http://", "https://")):
        raise httpx.UnsupportedProtocol(
            f"the proxy the environment names for {url.scheme} is not an HTTP proxy"
        )
    return proxy


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw]


@contextmanager
def _named() -> Iterator[None]:
    """Return an error of aiohttp the name httpx has for it."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
        name = next(ours for theirs, ours in _MEANINGS if isinstance(exc, theirs))
        said = next((said for theirs, said in _SAYINGS.items() if isinstance(exc, theirs)), str(exc))
        raise name(said) from exc
