"""A running sandbox with an empty account, and a client that knows its token."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox

EMPTY_ACCOUNT = AccountParameters(messages=0)
NOW = EMPTY_ACCOUNT.now


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(account=EMPTY_ACCOUNT) as running:
        yield running


@pytest.fixture
def client_of() -> Iterator[Callable[[SandboxHandle], httpx.Client]]:
    """Makes clients that ask for ld+json with the right token."""
    with ExitStack() as clients:

        def make(sandbox: SandboxHandle) -> httpx.Client:
            headers = {"X-LOX24-AUTH-TOKEN": sandbox.token, "Accept": "application/ld+json"}
            return clients.enter_context(httpx.Client(base_url=sandbox.url, headers=headers, trust_env=False))

        yield make


@pytest.fixture
def lox24(sandbox: SandboxHandle, client_of: Callable[[SandboxHandle], httpx.Client]) -> httpx.Client:
    return client_of(sandbox)


@pytest.fixture
def listed(lox24: httpx.Client) -> Callable[[str], list[str]]:
    """Gives the uuids a query of `GET /sms` lists."""

    def ask(query: str) -> list[str]:
        response = lox24.get(f"/sms?{query}")
        assert response.status_code == 200, response.text
        rows: list[dict[str, Any]] = response.json()["hydra:member"]
        return [row["uuid"] for row in rows]

    return ask
