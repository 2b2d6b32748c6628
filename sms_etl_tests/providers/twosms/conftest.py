"""The sandbox's 2SMS behind a proxy that can go wrong, and clients that wait for nothing between tries."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Protocol
from uuid import UUID

import pytest

from sms_etl.providers.retrying import RetryPolicy
from sms_etl.providers.twosms.client import TwoSmsClient
from sms_etl.sandbox.control.switches import SandboxSwitches
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.faults.proxy import Asked, Fault, FaultyProxy, running_proxy

DELETION = "/api/v1/sms/messages"


class Connect(Protocol):
    """Opens a client for the sandbox, through the proxy; closed with the test."""

    async def __call__(
        self, *, url: str | None = None, secret: str = ..., attempts: int = 4, timeout: float = 60
    ) -> TwoSmsClient: ...


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def served() -> Iterator[SandboxHandle]:
    with running_sandbox(account=AccountParameters(messages=0)) as running:
        yield running


@pytest.fixture
def sandbox(served: SandboxHandle) -> SandboxHandle:
    """The module's sandbox, behaving as by default and without a request in its log."""
    served.set_switches(**asdict(SandboxSwitches()))
    served.forget_requests()
    return served


@pytest.fixture(scope="module")
def fronted(served: SandboxHandle) -> Iterator[FaultyProxy]:
    with running_proxy(served.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(fronted: FaultyProxy, sandbox: SandboxHandle) -> FaultyProxy:
    """The module's proxy, in a run of its own that goes well."""
    fronted.begin()
    return fronted


@pytest.fixture
def waits() -> list[float]:
    """Return the seconds that clients would have waited between tries."""
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def connect(
    proxy: FaultyProxy, sandbox: SandboxHandle, waits: list[float], clock: Clock
) -> AsyncIterator[Connect]:
    async def note(seconds: float) -> None:
        waits.append(seconds)

    async with AsyncExitStack() as stack:

        async def open_client(
            *,
            url: str | None = None,
            secret: str = sandbox.twosms_client_secret,
            attempts: int = 4,
            timeout: float = 60,
        ) -> TwoSmsClient:
            client = TwoSmsClient(
                url or proxy.url,
                sandbox.twosms_client_id,
                secret,
                timeout=timeout,
                retry=RetryPolicy(attempts=attempts),
                sleep=note,
                jitter=lambda: 1.0,
                monotonic=clock,
            )
            return await stack.enter_async_context(client)

        yield open_client


def spoil_first(proxy: FaultyProxy, path: str, *faults: Fault) -> None:
    """Let the first requests to a path go wrong, each in its way, and those after them go well."""
    coming = list(faults)
    proxy.begin(lambda asked: coming.pop(0) if coming and asked.path == path else None)


def asked_for(proxy: FaultyProxy, path: str) -> list[Asked]:
    """Return the requests to a path, in this run."""
    return [asked for asked in proxy.asked_in_this_run() if asked.path == path]


def insert(sandbox: SandboxHandle, count: int = 1, **fields: Any) -> list[UUID]:
    """Put messages into the account, and return their ids."""
    return [
        UUID(each) for each in sandbox.insert_twosms(*[{"destination": "+491700000001", **fields}] * count)
    ]


def deleted(sandbox: SandboxHandle) -> set[UUID]:
    return {UUID(row["id"]) for row in sandbox.truth_twosms() if row["is_deleted"]}


def expired(sandbox: SandboxHandle) -> set[UUID]:
    return {UUID(row["id"]) for row in sandbox.truth_twosms() if row["is_expired"]}
