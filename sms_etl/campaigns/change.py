"""Asks how far a bulk is, cancels it, and settles what an earlier command left open."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sms_etl.accounts import with_writer
from sms_etl.campaigns.listing import read_listed_bulks, status_as_json, status_word
from sms_etl.campaigns.record import Campaign, KnownBy, State, all_campaigns, find_campaign, write_campaign
from sms_etl.clock import as_utc
from sms_etl.errors import CampaignRefused, CampaignUnclear, SmsEtlError, WarehouseError
from sms_etl.providers.lox24.bulks import BulkStatus
from sms_etl.providers.lox24.client import RequestRecord
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.settings import Settings
from sms_etl.sync.account import BoundAccount, bound_account, check_account
from sms_etl.sync.lock import only_one_campaign
from sms_etl.sync.state import recently_refused, write_requests
from sms_etl.warehouse.store import Warehouse

Made = TypeVar("Made")


@dataclass(frozen=True)
class BulkNow:
    """A bulk as the provider shows it, with the record of its campaign."""

    status: BulkStatus
    campaign: Campaign | None
    """None: it was not sent from here."""
    is_cancelled_now: bool = False
    """This command cancelled it."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            **status_as_json(self.status),
            "key": self.campaign and self.campaign.key,
            "campaign": self.campaign and self.campaign.as_json(),
            "is_cancelled_now": self.is_cancelled_now,
        }


def live_status(settings: Settings, *, bulk_id: UUID | None = None, key: str | None = None) -> BulkNow:
    """Ask the provider how far a bulk is.

    Args:
        settings: With a token.
        bulk_id: The provider's key of it; or
        key: Of the campaign.

    Raises:
        CampaignRefused: No campaign has the key, or it has no bulk.
        CampaignUnclear: Whether it was sent is not known.
        ProviderError: See its subclasses; NotFound: the account has no such bulk.
    """
    account = _Account(settings)
    campaign = account.campaign(bulk_id=bulk_id, key=key)
    found = bulk_id or _bulk_of(campaign, key)
    return BulkNow(account.ask(lambda writer: writer.bulk_status(found)), campaign)


def live_bulks(settings: Settings, since: datetime) -> list[BulkNow]:
    """List the bulks the provider has, those of nobody here included, the newest first; no dry runs.

    Args:
        settings: With a token.
        since: When the first was created at the earliest, with a time zone.

    Raises:
        ProviderError: See its subclasses.
    """
    account = _Account(settings)
    campaigns = account.campaigns()
    found = account.ask(lambda writer: read_listed_bulks(writer, since))
    return [
        BulkNow(status, campaigns.get(status.uuid))
        for status in sorted(found, key=lambda status: status.created_at, reverse=True)
        if not status.is_dryrun
    ]


def cancel_campaign(
    settings: Settings,
    *,
    bulk_id: UUID | None = None,
    key: str | None = None,
    confirm: Callable[[BulkStatus], bool],
) -> BulkNow:
    """Stop what a bulk has not sent yet, and record it.

    Args:
        settings: With a token.
        bulk_id: As in `live_status`; or
        key: As there.
        confirm: Whether to cancel what is shown.

    Raises:
        CampaignRefused: It has ended already; or as `live_status`.
        ProviderError: It was not cancelled, or that is not known (AnswerLost: run it again).
    """
    with only_one_campaign(settings):
        account = _Account(settings)
        campaign = account.campaign(bulk_id=bulk_id, key=key)
        found = bulk_id or _bulk_of(campaign, key)

        async def work(writer: Lox24Writer) -> tuple[BulkStatus, bool]:
            status = await writer.bulk_status(found)
            if status_word(status.status_code) == State.CANCELLED.value:
                return status, False
            if not status.is_open:
                raise CampaignRefused(
                    f"The bulk cannot be cancelled: it is {status_word(status.status_code)}.",
                    hint="Only what is new or in progress can be; what was sent stays sent.",
                )
            if not confirm(status):
                return status, False
            return await writer.cancel_bulk(found), True

        status, is_cancelled_now = account.ask(work)
        if campaign and status_word(status.status_code) == State.CANCELLED.value:
            campaign = account.note_cancelled(campaign)
        return BulkNow(status, campaign, is_cancelled_now)


def resolve_campaign(settings: Settings, key: str, bulk_id: UUID | None) -> Campaign:
    """Write down what somebody found out of a campaign of which it was not known whether it was sent.

    Args:
        settings: With a token where there is a bulk: the provider is asked whether it has it.
        key: Of the campaign.
        bulk_id: What it became; None: it was not sent, and may be sent now.

    Raises:
        CampaignRefused: No campaign has the key, or it is known already what became of it.
        ProviderError: The account has no such bulk, or cannot be asked.
    """
    with only_one_campaign(settings):
        account = _Account(settings)
        campaign = account.campaign(key=key)
        if campaign is None:
            raise _no_such_key(key)
        if campaign.state is not State.INTENDED:
            raise CampaignRefused(
                f"It is known already what became of the campaign {key}: it was {campaign.state.value}.",
                hint=f"`sms-etl bulks show {key}` shows it. Nothing was changed.",
            )
        if bulk_id is not None:
            _refuse_anothers(account.campaign(bulk_id=bulk_id))
            account.ask(lambda writer: writer.bulk_status(bulk_id))
        state = State.REFUSED if bulk_id is None else State.SENT
        known = replace(campaign, state=state, bulk_id=bulk_id, known_by=KnownBy.PERSON.value)
        return account.write(replace(known, known_at=as_utc(settings.clock())))


class _Account:
    """The provider's account and the warehouse's record of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warehouse = Warehouse.of(settings)

    def campaign(self, *, bulk_id: UUID | None = None, key: str | None = None) -> Campaign | None:
        """Return a campaign; None if there is none, or no warehouse to ask."""
        if not self._warehouse.exists:
            return None
        with self._warehouse.begin() as transaction:
            return find_campaign(transaction, bulk_id=bulk_id, key=key)

    def campaigns(self) -> dict[UUID, Campaign]:
        """Return the campaigns of which the bulk is known, by bulk."""
        if not self._warehouse.exists:
            return {}
        with self._warehouse.begin() as transaction:
            return {each.bulk_id: each for each in all_campaigns(transaction) if each.bulk_id is not None}

    def ask(self, work: Callable[[Lox24Writer], Awaitable[Made]]) -> Made:
        """Ask the provider, once its account is known to be the warehouse's; keep the ledger."""
        ledger: list[RequestRecord] = []
        held, is_refused = None, False
        if self._warehouse.exists:
            with self._warehouse.begin() as transaction:
                held = bound_account(transaction)
                is_refused = recently_refused(transaction, as_utc(self._settings.clock()))

        async def checked(writer: Lox24Writer) -> Made:
            told = await writer.account()
            url = self._settings.lox24_base_url
            account = BoundAccount(str(told.id), told.currency, url, is_sandbox=told.is_sandbox)
            check_account(held, account, self._warehouse.path)
            return await work(writer)

        try:
            return with_writer(self._settings, checked, recently_refused=is_refused, ledger=ledger)
        finally:
            self._keep(ledger)

    def _keep(self, ledger: list[RequestRecord]) -> None:
        if not self._warehouse.exists:
            return
        with suppress(WarehouseError), self._warehouse.begin() as transaction:
            write_requests(transaction, uuid4(), ledger)

    def note_cancelled(self, campaign: Campaign) -> Campaign:
        """Write that a campaign is cancelled; the provider knows it already."""
        if campaign.state is State.CANCELLED:
            return campaign
        now = as_utc(self._settings.clock())
        return self.write(replace(campaign, state=State.CANCELLED, cancelled_at=now))

    def write(self, campaign: Campaign) -> Campaign:
        """Write a campaign, and return it."""
        with self._warehouse.begin() as transaction:
            write_campaign(transaction, campaign)
        return campaign


def _bulk_of(campaign: Campaign | None, key: str | None) -> UUID:
    if campaign is None:
        raise _no_such_key(key)
    if campaign.bulk_id is not None:
        return campaign.bulk_id
    if campaign.state is State.INTENDED:
        raise CampaignUnclear(
            f"Whether the campaign {key} was sent is not known: LOX24's answer was lost.",
            hint="Run the command that was to send it again: it looks for the bulk, and sends nothing twice. "
            "Or look in LOX24's web account, and say what is there: `sms-etl bulks resolve --help`.",
        )
    raise CampaignRefused(
        f"The campaign {key} was not sent: {campaign.state.value}.", hint="It can be sent again."
    )


def _no_such_key(key: str | None) -> SmsEtlError:
    return CampaignRefused(
        f"No campaign was sent from here with the key {key}.", hint="`sms-etl bulks list` shows the keys."
    )


def _refuse_anothers(campaign: Campaign | None) -> None:
    if campaign is not None:
        raise CampaignRefused(
            f"That bulk is the one of the campaign {campaign.key}.", hint="Give the id of another bulk."
        )
