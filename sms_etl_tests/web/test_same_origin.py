"""Requests as browsers and programs send them, to a server that only its own pages may drive."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sms_etl.web.same_origin import SameOrigin

HERE = "127.0.0.1:3000"
OWN = {"Host": HERE, "Origin": f"http://{HERE}"}
JSON = {"Content-Type": "application/json"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def reached(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("reached")


def guarded() -> SameOrigin:
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", reached, methods=methods)])
    return SameOrigin(app, only_by_post={"/graphql"})


async def answer(method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guarded()), base_url=f"http://{HERE}"
    ) as client:
        return await client.send(httpx.Request(method, f"http://{HERE}{path}", headers=headers))


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/runs", {"Host": HERE}),
        ("GET", "/runs", {"Host": "localhost:3000"}),
        ("GET", "/runs", {"Host": "LOCALHOST:3000"}),
        ("GET", "/runs", {"Host": "[::1]:3000"}),
        ("GET", "/runs", {"Host": "localhost:8080"}),  # through a tunnel
        ("GET", "/runs", {"Host": HERE, **LINK}),
        ("GET", "/graphql?query={version}", {"Host": HERE, "Accept": "text/html"}),
        ("POST", "/graphql", {**OWN, **JSON}),
        ("POST", "/graphql", {**OWN, **JSON, "Sec-Fetch-Site": "same-origin"}),
        ("POST", "/graphql", {**OWN, "Content-Type": "Application/JSON; charset=utf-8"}),
        ("POST", "/graphql", {"Host": HERE, **JSON}),  # a program
        ("POST", "/graphql", {"Host": HERE}),
    ],
)
async def test_the_servers_own_pages_and_programs_are_answered(
    method: str, path: str, headers: dict[str, str]
) -> None:
    response = await answer(method, path, headers)
    assert (response.status_code, response.text) == (200, "reached")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        # DNS rebinding: the browser believes that it talks to the attacker's own host
        ("GET", "/", {"Host": "evil.example:3000"}, 403),
        ("GET", "/", {"Host": "127.0.0.1.evil.example"}, 403),
        ("GET", "/", {"Host": "localhost.evil.example:3000"}, 403),
        ("POST", "/graphql", {"Host": "evil.example", "Origin": "http://evil.example", **JSON}, 403),
        ("GET", "/", {"Host": "192.0.2.1:3000"}, 403),
        ("GET", "/", {"Host": ""}, 403),
        ("GET", "/", {"Host": "[::1"}, 403),
        # a page of another site, or of another server on this machine
        ("POST", "/graphql", {"Host": HERE, "Origin": "https://evil.example", **JSON}, 403),
        ("POST", "/graphql", {"Host": HERE, "Origin": "http://127.0.0.1:8000", **JSON}, 403),
        ("POST", "/graphql", {"Host": HERE, "Origin": "http://localhost:3000", **JSON}, 403),
        ("POST", "/graphql", {"Host": HERE, "Origin": "null", **JSON}, 403),
        ("POST", "/graphql", {"Host": HERE, "Origin": "http://[", **JSON}, 403),
        ("DELETE", "/x", {"Host": HERE, "Origin": "https://evil.example"}, 403),
        ("POST", "/graphql", {"Host": HERE, "Sec-Fetch-Site": "cross-site", **JSON}, 403),
        ("POST", "/graphql", {"Host": HERE, **LINK, **JSON}, 403),
        ("GET", "/logs/x", {"Host": HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", "/logs/x", {"Host": HERE, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ("GET", "/", {"Host": HERE, **LINK, "Sec-Fetch-Dest": "iframe"}, 403),
        # what a form or a plain script sends without asking
        ("POST", "/graphql", {"Host": HERE, "Content-Type": "text/plain"}, 415),
        ("POST", "/graphql", {**OWN, "Content-Type": "text/plain"}, 415),
        ("POST", "/graphql", {"Host": HERE, "Content-Type": "text/plain; application/json"}, 415),
        ("POST", "/graphql", {"Host": HERE, "Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/graphql", {"Host": HERE, "Content-Type": "multipart/form-data; boundary=a"}, 415),
        ("GET", "/graphql?query=mutation{launch}", {"Host": HERE}, 405),
        ("GET", "/graphql/?query=mutation{launch}", {"Host": HERE, "Accept": "*/*"}, 405),
        ("HEAD", "/graphql?query=mutation{launch}", {"Host": HERE}, 405),
    ],
)
async def test_what_another_page_may_have_sent_is_refused(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = await answer(method, path, headers)
    assert response.status_code == status
    assert "reached" not in response.text
    assert method == "HEAD" or response.text.startswith("Refused: ")


@pytest.mark.parametrize("host", [HERE, "evil.example"])
async def test_no_other_page_may_show_it_in_a_frame_or_guess_what_it_is(host: str) -> None:
    headers = (await answer("GET", "/", {"Host": host})).headers
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("headers", "is_open"),
    [
        ({"host": HERE, "origin": f"http://{HERE}"}, True),
        ({"host": HERE}, True),
        ({"host": HERE, "origin": "https://evil.example"}, False),
        ({"host": HERE, "origin": "null"}, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, False),
        ({}, False),
    ],
)
async def test_a_web_socket_opens_for_the_servers_own_pages_only(
    headers: dict[str, str], is_open: bool
) -> None:
    opened: list[bool] = []
    sent: list[dict[str, Any]] = []

    async def app(_scope: object, _receive: object, _send: object) -> None:
        opened.append(True)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/graphql",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    receive: Callable[[], Awaitable[Any]] = _nothing
    await SameOrigin(app)(scope, receive, send)
    assert bool(opened) is is_open
    assert [message["type"] for message in sent] == ([] if is_open else ["websocket.close"])


async def _nothing() -> dict[str, Any]:
    return {"type": "websocket.connect"}
