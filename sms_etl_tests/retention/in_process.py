"""The sandbox in the tests' own process: its application answers without a socket; each request is kept."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import httpx

from sms_etl.sandbox.app import create_app
from sms_etl.sandbox.storage.state import SandboxState


@dataclass(frozen=True)
class Asked:
    """One request, as it left the client."""

    method: str
    path: str
    pairs: list[tuple[str, str]]
    """Of the query, blank values too."""


class InProcess:
    """A sandbox that is asked by `transport`, in place of the one that opens connections."""

    def __init__(self, state: SandboxState) -> None:
        self.state = state
        self.asked: list[Asked] = []
        self.app = httpx.ASGITransport(app=create_app(state))

    def transport(self, _connections: int, *, is_kept: bool = True) -> httpx.AsyncBaseTransport:
        """Return what carries requests; takes what `AiohttpTransport` takes."""
        return _Carried(self)


class _Carried(httpx.AsyncBaseTransport):
    def __init__(self, provider: InProcess) -> None:
        self._provider = provider

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = request.extensions["target"]
        parts = urlsplit(target.decode())
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        self._provider.asked.append(Asked(request.method, parts.path, pairs))
        return await self._provider.app.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(raw_path=target),
                headers=request.headers,
                content=request.content,
            )
        )
