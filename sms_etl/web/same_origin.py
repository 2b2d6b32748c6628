"""Keeps other web pages from driving a server of this machine: an ASGI middleware, `SameOrigin`.

A page of any site can send requests to 127.0.0.1 from the browser of whoever visits it, and one whose name is
pointed there afterwards (DNS rebinding) can read the answers too. Such requests give themselves away: by a
`Host` that is not this machine's, by an `Origin` that is not the server's, or by a body that is no JSON, the
only kind of body a foreign page cannot send without asking first. Programs send no `Origin` and may pass.
"""

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sms_etl.web.loopback import is_loopback

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON = "application/json"
_POLICY_VIOLATION = 1008
_OWN_FETCHES = frozenset({"same-origin", "none"})
_EMBEDDINGS = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


class SameOrigin:
    """Answers requests that a page of another site may have sent with 403, or 415 for a body that is no JSON.

    Args:
        app: What lies behind.
        only_by_post: Paths whose GET requests can change something; only pages (`text/html`) are read there.
    """

    def __init__(self, app: ASGIApp, only_by_post: Collection[str] = ()) -> None:
        self._app = app
        self._only_by_post = frozenset(only_by_post)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or open one WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = _why_foreign(headers, scope.get("method", ""))
        if scope["type"] == "websocket":
            if refused:
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            else:
                await self._app(scope, receive, send)
            return
        status = HTTPStatus.FORBIDDEN
        if refused is None:
            status, refused = self._why_unsafe(scope, headers)
        if refused is not None:
            await PlainTextResponse(f"{refused}\n", status, _NOT_EMBEDDED)(scope, receive, send)
            return

        async def send_unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_NOT_EMBEDDED)
            await send(message)

        await self._app(scope, receive, send_unframed)

    def _why_unsafe(self, scope: Scope, headers: Headers) -> tuple[HTTPStatus, str | None]:
        if scope["method"] in _READING:
            is_page = "text/html" in headers.get("accept", "")
            if scope["path"].rstrip("/") in self._only_by_post and not is_page:
                return HTTPStatus.METHOD_NOT_ALLOWED, "Refused: send it by POST, as application/json."
            return HTTPStatus.OK, None
        kinds = {kind.partition(";")[0].strip().lower() for kind in headers.getlist("content-type")}
        if kinds <= {_JSON}:
            return HTTPStatus.OK, None
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Refused: send JSON, with `Content-Type: application/json`."


_NOT_EMBEDDED = {
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""No page of another site shows this one in a frame, where clicks are stolen, or as a script or an image; no
text is taken for a page; and no other site learns from which page somebody came."""


def _why_foreign(headers: Headers, method: str) -> str | None:
    """Return why a request may come from another site's page, or None."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_loopback(f"http://{hosts[0]}"):
        return "Refused: this server answers as 127.0.0.1 and localhost only."
    if any(not _is_same(origin, hosts[0]) for origin in headers.getlist("origin")):
        return "Refused: another web page sent this request."
    if headers.get("sec-fetch-site", "none") not in _OWN_FETCHES and not _is_link(headers, method):
        return "Refused: another web page sent this request."
    return None


def _is_same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _is_link(headers: Headers, method: str) -> bool:
    """Return whether somebody followed a link here, which opens a page in view."""
    is_embedded = headers.get("sec-fetch-dest") in _EMBEDDINGS
    return method == "GET" and headers.get("sec-fetch-mode") == "navigate" and not is_embedded
