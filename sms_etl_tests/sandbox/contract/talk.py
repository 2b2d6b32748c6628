"""Talks HTTP to the provider under test and reads its JSON strictly: money stays the decimal it was.

Used with an `httpx.Client` whose base address and token are set; knows only documented addresses and headers.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urljoin

import httpx

JSON = "application/json"
LD_JSON = "application/ld+json"
TOKEN_HEADER = "X-LOX24-AUTH-TOKEN"
REQUEST_ID_HEADER = "X-LOX24-REQUEST-ID"
UNKNOWN_UUID = "00000000-0000-1000-8000-000000000000"
REFUSED = frozenset({400, 422})
MOST_PAGES = 2_000  # a guard: links that lead in circles end the test instead of hanging it

Row = dict[str, Any]
Params = list[tuple[str, str]]


class Handle(Protocol):
    """A running provider whose clock the test moves."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...

    def now(self) -> datetime: ...

    def advance(self, by: timedelta) -> object: ...

    def send_webhooks_to(self, url: str | None) -> object: ...

    def deliver_webhooks(self) -> object: ...


def client_of(handle: Handle) -> httpx.Client:
    """Return a client that knows the account's key."""
    return httpx.Client(base_url=handle.url, headers={TOKEN_HEADER: handle.token}, timeout=10)


def exact_decimal(text: str) -> Decimal:
    """Read a JSON number with a fraction; sums of binary floats and exponents are refused."""
    if not re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]{1,6}", text):
        raise AssertionError(f"{text} is not plain decimal money")
    return Decimal(text)


def refuse_constant(text: str) -> float:
    raise AssertionError(f"{text} is not JSON")


def without_double_keys(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    assert len(row) == len(pairs), f"a key is there twice in {[key for key, _ in pairs]}"
    return row


def decoded(response: httpx.Response) -> Any:
    """Return the body, with `Decimal` for every number that has a fraction."""
    return json.loads(
        response.text,
        parse_float=exact_decimal,
        parse_constant=refuse_constant,
        object_pairs_hook=without_double_keys,
    )


def ask(
    client: httpx.Client, path: str, params: Params | None = None, accept: str = LD_JSON, method: str = "GET"
) -> httpx.Response:
    return client.request(
        method, path, params=httpx.QueryParams(tuple(params)) if params else None, headers={"Accept": accept}
    )


def answer(client: httpx.Client, path: str, params: Params | None = None, accept: str = LD_JSON) -> Any:
    """Return the body of a request that must succeed."""
    response = ask(client, path, params, accept)
    assert response.status_code == 200, f"{response.request.url} gave {response.status_code}: {response.text}"
    return decoded(response)


def pages(client: httpx.Client, path: str, params: Params | None = None) -> Iterator[Row]:
    """Return every page of a collection, by following `hydra:next`."""
    body = answer(client, path, params)
    for _ in range(MOST_PAGES):
        yield body
        following = body.get("hydra:view", {}).get("hydra:next")
        if following is None:
            return
        body = answer(client, urljoin(str(client.base_url), following))
    raise AssertionError(f"{path} {params} has more than {MOST_PAGES} pages")


def read_all(client: httpx.Client, path: str, params: Params | None = None) -> list[Row]:
    """Return every row of a collection; fails unless they are as many as each page says, each there once."""
    rows: list[Row] = []
    totals = set()
    for body in pages(client, path, params):
        rows += body["hydra:member"]
        totals.add(body["hydra:totalItems"])
    assert totals == {len(rows)}, f"{params}: said {totals}, read {len(rows)}"
    assert len({row["uuid"] for row in rows}) == len(rows), f"{params}: a row came twice"
    return rows


def total(client: httpx.Client, path: str, params: Params | None = None) -> int:
    """Return `hydra:totalItems` of a collection."""
    count = answer(client, path, params)["hydra:totalItems"]
    assert isinstance(count, int)
    return count


def documented(row: Row) -> Row:
    """Return a row without what only `application/ld+json` adds."""
    return {name: value for name, value in row.items() if not name.startswith("@")}


def by_uuid(rows: list[Row]) -> dict[str, Row]:
    return {row["uuid"]: documented(row) for row in rows}


def is_problem(response: httpx.Response) -> bool:
    """Say whether an error's body, where there is one, is of the documented shape."""
    if not response.content:
        return True
    body = decoded(response)
    if not isinstance(body, dict):
        return False
    violations = body.get("violations", [])
    return (
        all(isinstance(body.get(name, ""), str) for name in ("type", "title", "detail"))
        and bool(body.get("title") or body.get("detail") or violations)
        and all(isinstance(v["propertyPath"], str) and isinstance(v["message"], str) for v in violations)
    )
