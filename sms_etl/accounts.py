"""Opens clients of the accounts that the settings name, for those who change something there.

    answer = with_writer(settings, lambda writer: writer.delete_messages(ids))

is the way for code that is not asynchronous, such as a command. What takes several steps is one coroutine:

    async def cancel(writer: Lox24Writer) -> BulkStatus:
        await writer.account()
        return await writer.cancel_bulk(uuid)

    status = with_writer(settings, cancel)

`with_twosms` does the same at 2SMS.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sms_etl.errors import SettingsError
from sms_etl.providers.lox24.client import Limits, RequestRecord
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.providers.retrying import RetryPolicy
from sms_etl.providers.twosms.client import TwoSmsClient
from sms_etl.settings import PREFIX, Settings, no_token, no_twosms_credentials
from sms_etl.web.loopback import is_loopback

Made = TypeVar("Made")


def limits_of(settings: Settings) -> Limits:
    """Return how much may be asked of LOX24 at once."""
    return Limits(
        settings.concurrency,
        settings.lox24_requests_per_second,
        settings.lox24_timeout.total_seconds(),
    )


def writer_of(settings: Settings) -> Lox24Writer:
    """Return a client that may change what the account holds; use it as an async context manager.

    Raises:
        SettingsError: There is no token, or the clock is fixed.
    """
    if settings.lox24_token is None:
        raise no_token()
    _refuse_fixed_clock(settings, settings.lox24_base_url)
    return Lox24Writer(
        settings.lox24_base_url,
        settings.lox24_token.get_secret_value(),
        settings.clock,
        limits=limits_of(settings),
    )


def with_writer(
    settings: Settings,
    work: Callable[[Lox24Writer], Awaitable[Made]],
    *,
    recently_refused: bool = False,
    ledger: list[RequestRecord] | None = None,
) -> Made:
    """Do some work with a client, and wait for it.

    Args:
        settings: With a token.
        work: What to do; the client is closed when it is done.
        recently_refused: Whether a wrong token was refused in the last ten minutes (`sync.state` knows).
        ledger: Takes the requests that were made, also if the work fails, for `ops.request`.

    Raises:
        SettingsError: There is no token.
        ProviderError: What the work raises.
    """

    async def opened() -> Made:
        async with writer_of(settings) as writer:
            writer.recently_refused = recently_refused
            try:
                return await work(writer)
            finally:
                if ledger is not None:
                    ledger.extend(writer.take_ledger())

    return asyncio.run(opened())


def twosms_client_of(settings: Settings, *, retry: RetryPolicy | None = None) -> TwoSmsClient:
    """Return a client of the 2SMS account; use it as an async context manager.

    Raises:
        SettingsError: There are no credentials, or the clock is fixed.
    """
    if settings.twosms_client_id is None or settings.twosms_client_secret is None:
        raise no_twosms_credentials()
    _refuse_fixed_clock(settings, settings.twosms_base_url)
    return TwoSmsClient(
        settings.twosms_base_url,
        settings.twosms_client_id,
        settings.twosms_client_secret.get_secret_value(),
        retry=retry,
    )


def with_twosms(settings: Settings, work: Callable[[TwoSmsClient], Awaitable[Made]]) -> Made:
    """Do some work with a client of 2SMS, and wait for it.

    Raises:
        SettingsError: There are no credentials.
        ProviderError: What the work raises.
    """

    async def opened() -> Made:
        async with twosms_client_of(settings) as client:
            return await work(client)

    return asyncio.run(opened())


def _refuse_fixed_clock(settings: Settings, base_url: str) -> None:
    """Hold that no rehearsal's clock says what is old enough to be deleted, or when something is sent."""
    if settings.now is not None and not is_loopback(base_url):
        raise SettingsError(
            f"{PREFIX}NOW is set: nothing is changed at an account by a clock that stands still.",
            hint="Unset it. It is for rehearsals, with a provider on this machine.",
        )
