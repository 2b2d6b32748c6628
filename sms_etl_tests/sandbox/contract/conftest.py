"""Runs the provider under test: a large account that all read, small ones to change."""

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.sandbox.contract.talk import Row, client_of, read_all

LARGE = AccountParameters(seed=11, messages=2_400, days=40)
MOVING = AccountParameters(seed=13, messages=1_500, days=4)
SMALL = AccountParameters(seed=12, messages=400, days=6)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxHandle]:
    """Return an account of a few thousand messages; only to be read, its clock not to be moved."""
    with running_sandbox(account=LARGE) as handle:
        yield handle


@pytest.fixture(scope="session")
def provider(sandbox: SandboxHandle) -> Iterator[httpx.Client]:
    with client_of(sandbox) as client:
        yield client


@pytest.fixture(scope="session")
def now(sandbox: SandboxHandle) -> datetime:
    return sandbox.now()


@pytest.fixture(scope="session")
def messages(provider: httpx.Client) -> list[Row]:
    """Return every message, oldest first, as `application/ld+json` rows."""
    return read_all(provider, "/sms", [("_order[created_at]", "asc")])


@pytest.fixture(scope="session")
def bulks(provider: httpx.Client) -> list[Row]:
    """Return every bulk, oldest first, as `application/ld+json` rows."""
    return read_all(provider, "/bulks", [("_order[created_at]", "asc")])


@pytest.fixture
def fresh() -> Iterator[SandboxHandle]:
    """Return a small account that nobody else reads."""
    with running_sandbox(account=SMALL) as handle:
        yield handle


@pytest.fixture
def fresh_provider(fresh: SandboxHandle) -> Iterator[httpx.Client]:
    with client_of(fresh) as client:
        yield client


@pytest.fixture(scope="module")
def moving() -> Iterator[SandboxHandle]:
    """Return an account whose clock one module moves through two weeks."""
    with running_sandbox(account=MOVING) as handle:
        yield handle


@pytest.fixture(scope="module")
def moving_provider(moving: SandboxHandle) -> Iterator[httpx.Client]:
    with client_of(moving) as client:
        yield client
