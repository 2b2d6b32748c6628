"""A provider on this machine, and clients that wait for nothing but note how long they would have."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Protocol

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.providers.lox24.client import Limits, Lox24Client
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.providers.retrying import RetryPolicy
from sms_etl_tests.providers.lox24.server import Provider

TOKEN = "4711:dont-tell-anybody"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Connect(Protocol):
    """Opens a client for the provider; closed with the test."""

    async def __call__(
        self,
        *,
        url: str | None = None,
        attempts: int = 6,
        concurrency: int = 8,
        timeout: float = 60,
        jitter: Callable[[], float] = ...,
    ) -> Lox24Client: ...


class ConnectWriter(Protocol):
    """Opens a client that may change something; closed with the test."""

    async def __call__(
        self, *, url: str | None = None, token: str = ..., attempts: int = 6, timeout: float = 60
    ) -> Lox24Writer: ...


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """Return the seconds that clients would have waited between tries."""
    return []


@pytest.fixture
async def connect(provider: Provider, waits: list[float]) -> AsyncIterator[Connect]:
    async def note(seconds: float) -> None:
        waits.append(seconds)

    async with AsyncExitStack() as stack:

        async def open_client(
            *,
            url: str | None = None,
            attempts: int = 6,
            concurrency: int = 8,
            timeout: float = 60,
            jitter: Callable[[], float] = lambda: 1.0,
        ) -> Lox24Client:
            client = Lox24Client(
                url or provider.url,
                TOKEN,
                fixed_clock(NOW),
                limits=Limits(concurrency=concurrency, timeout=timeout),
                retry=RetryPolicy(attempts=attempts),
                sleep=note,
                jitter=jitter,
            )
            return await stack.enter_async_context(client)

        yield open_client


@pytest.fixture
async def connect_writer(provider: Provider, waits: list[float]) -> AsyncIterator[ConnectWriter]:
    async def note(seconds: float) -> None:
        waits.append(seconds)

    async with AsyncExitStack() as stack:

        async def open_client(
            *, url: str | None = None, token: str = TOKEN, attempts: int = 6, timeout: float = 60
        ) -> Lox24Writer:
            client = Lox24Writer(
                url or provider.url,
                token,
                fixed_clock(NOW),
                limits=Limits(timeout=timeout),
                retry=RetryPolicy(attempts=attempts),
                sleep=note,
            )
            return await stack.enter_async_context(client)

        yield open_client
