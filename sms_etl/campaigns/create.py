"""Sends a campaign once: dry run, guards, the record of the intention, the call, the record of its answer.

A command that is repeated never sends twice. If the answer to the call is lost, the bulk is looked for among
the provider's before anything is sent again; what cannot be told stops with what to do about it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sms_etl import __version__
from sms_etl.accounts import with_writer
from sms_etl.campaigns.costs import (
    Prices,
    Rule,
    cost_centre_of,
    estimate_of,
    is_budget_stale,
    is_unknown_where_budgets_are,
    read_as_of,
    read_budgets,
    read_prices,
    read_rules,
)
from sms_etl.campaigns.lost import Lost, Sleep
from sms_etl.campaigns.message import preview_of
from sms_etl.campaigns.opt_outs import OptOuts, read_opt_outs
from sms_etl.campaigns.plan import Asked, Plan
from sms_etl.campaigns.record import (
    KEY_DIGITS,
    Campaign,
    KnownBy,
    State,
    claimed_bulks,
    digest_of,
    find_campaign,
    write_campaign,
)
from sms_etl.clock import as_utc
from sms_etl.errors import (
    AnswerLost,
    CampaignRefused,
    CampaignUnclear,
    DataDirError,
    ProviderError,
    WarehouseError,
)
from sms_etl.pii.policy import Pii, PiiPolicy
from sms_etl.pii.state import hold
from sms_etl.providers.lox24.bulks import BulkRequest, BulkStatus
from sms_etl.providers.lox24.client import RequestRecord
from sms_etl.providers.lox24.writing import Lox24Writer
from sms_etl.settings import Settings
from sms_etl.sync.account import BoundAccount, bound_account, check_account, write_account
from sms_etl.sync.lock import only_one_campaign
from sms_etl.sync.state import recently_refused, write_requests
from sms_etl.warehouse.store import Transaction, Warehouse

_log = logging.getLogger(__name__)

_PATIENCE = timedelta(minutes=2)
"""How long to wait for the warehouse once something was sent: a build may hold it for a minute."""
_DRY_RUN_LOOKS = 5
_BETWEEN_LOOKS = 2.0


class Outcome(StrEnum):
    """What came of a command that was to send a campaign."""

    DRY_RUN = "dry_run"
    OVER_BUDGET = "over_budget"
    """A dry run, too: a budget does not allow it, and no reason was given."""
    SENT = "sent"
    SENT_BEFORE = "sent_before"
    """An earlier command has sent it: nothing was sent."""


@dataclass(frozen=True)
class CreateResult:
    """What came of it."""

    outcome: Outcome
    key: str
    plan: Plan | None
    """None if it was sent before."""
    campaign: Campaign | None
    """Its record; None if there is none."""

    @property
    def bulk_id(self) -> UUID | None:
        """The provider's key; None if nothing was sent."""
        return self.campaign.bulk_id if self.campaign else None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; it holds no number and no text."""
        planned = self.plan.as_json() if self.plan else {"dryrun": _recorded(self.campaign)}
        return {
            **planned,
            "outcome": self.outcome.value,
            "key": self.key,
            "bulk_id": self.bulk_id and str(self.bulk_id),
            "campaign": self.campaign and self.campaign.as_json(),
        }


@dataclass(frozen=True)
class _Known:
    """What the warehouse knows before the provider is asked."""

    pii: Pii
    account: BoundAccount | None
    earlier: Campaign | None
    claimed: frozenset[UUID]
    opt_outs: OptOuts
    prices: Prices
    rules: list[Rule]
    is_recently_refused: bool


def create_campaign(
    settings: Settings,
    asked: Asked,
    *,
    confirm: Callable[[Plan], bool],
    sleep: Sleep = asyncio.sleep,
    say: Callable[[str], None] = lambda _: None,
) -> CreateResult:
    """Send a campaign, unless it was sent before.

    Args:
        settings: With a token.
        asked: What to send.
        confirm: Whether to send what the plan says; not asked where a budget does not allow it.
        sleep: Waits for what the provider shows late.
        say: Is told what it waits for.

    Raises:
        CampaignRefused: It cannot be sent: nobody is left to send to, its time has passed, or its key is that
            of another campaign.
        CampaignUnclear: Whether it was sent is not known, or it was and that could not be written down.
        AlreadyRunning: Another campaign is being sent from here.
        ProviderError: The provider refused it, or cannot be reached; it was not sent.
        WarehouseError: The warehouse cannot be used; nothing was sent.
    """
    with only_one_campaign(settings):
        creation = _Creation(settings, asked, confirm, sleep, say)
        return creation.run()


class _Creation:
    def __init__(
        self,
        settings: Settings,
        asked: Asked,
        confirm: Callable[[Plan], bool],
        sleep: Sleep,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._asked = asked
        self._warehouse = Warehouse.of(settings)
        self._patient = Warehouse(settings.warehouse_url, settings.clock, patience=_PATIENCE)
        self._confirm = confirm
        self._sleep = sleep
        self._say = say
        self._ledger: list[RequestRecord] = []
        self._id = uuid4()

    _known: _Known
    _digest: str
    _key: str

    def run(self) -> CreateResult:
        with self._warehouse.begin() as transaction:
            self._known = self._read(transaction)
        earlier = self._known.earlier
        if earlier is not None and earlier.digest != self._digest:
            raise CampaignRefused(
                f"The key {self._key} is that of another campaign: its sender, text, recipients, service or "
                "time are others.",
                hint="Give another --key, or the arguments that were given before. Nothing was sent.",
            )
        if earlier is not None and earlier.state in {State.SENT, State.CANCELLED}:
            return CreateResult(Outcome.SENT_BEFORE, self._key, None, earlier)
        try:
            return with_writer(
                self._settings,
                self._work,
                recently_refused=self._known.is_recently_refused,
                ledger=self._ledger,
            )
        finally:
            self._write_ledger()

    def _read(self, transaction: Transaction) -> _Known:
        pii = hold(transaction, self._settings)
        self._digest = self._digest_by(pii)
        self._key = self._asked.key or self._digest[:KEY_DIGITS]
        earlier = find_campaign(transaction, key=self._key)
        if earlier is not None:
            self._id = earlier.campaign_id
        return _Known(
            pii,
            bound_account(transaction),
            earlier,
            claimed_bulks(transaction),
            read_opt_outs(self._settings, pii),
            read_prices(transaction),
            read_rules(transaction, self._day),
            recently_refused(transaction, as_utc(self._settings.clock())),
        )

    def _digest_by(self, pii: Pii) -> str:
        """Return what makes this campaign the same: who was asked for, whoever opted out meanwhile."""
        asked = self._asked
        at = asked.scheduled_at
        parts = (asked.sender, asked.text, asked.service, as_utc(at).isoformat() if at else "")
        who = asked.recipients.numbers if asked.audience is None else (asked.audience,)
        return digest_of(pii, parts, who)

    @property
    def _day(self) -> date:
        """The business day it is sent on."""
        moment = self._asked.scheduled_at or self._settings.clock()
        return moment.astimezone(self._settings.zone).date()

    async def _work(self, writer: Lox24Writer) -> CreateResult:
        account = await self._account(writer)
        earlier = self._known.earlier
        if earlier is not None and earlier.state is State.INTENDED:
            found = await self._looked_for(writer, earlier)
            if found is not None:
                return CreateResult(Outcome.SENT_BEFORE, self._key, None, found)
            if self._has_passed:  # it is never sent, so that no later command would find out anything else
                self._note(earlier, State.REFUSED, KnownBy.SEARCH)
        request = self._request()
        dry = await self._dry_run(writer, request)
        plan = await self._plan(writer, request, dry, account.currency)
        if plan.objections and not self._asked.over_budget_reason:
            return CreateResult(Outcome.OVER_BUDGET, self._key, plan, None)
        if not self._confirm(plan):
            return CreateResult(Outcome.DRY_RUN, self._key, plan, None)
        self._refuse_the_past()  # somebody may have taken their time to say yes
        campaign = self._campaign(plan, request, dry)
        with self._warehouse.begin() as transaction:
            write_account(transaction, account, self._settings.clock())
            write_campaign(transaction, campaign)
        return CreateResult(Outcome.SENT, self._key, plan, await self._send(writer, request, campaign))

    async def _account(self, writer: Lox24Writer) -> BoundAccount:
        told = await writer.account()
        account = BoundAccount(
            str(told.id), told.currency, self._settings.lox24_base_url, is_sandbox=told.is_sandbox
        )
        check_account(self._known.account, account, self._warehouse.path)
        return account

    @property
    def _has_passed(self) -> bool:
        at = self._asked.scheduled_at
        return at is not None and at <= self._settings.clock()

    def _refuse_the_past(self) -> None:
        at, now = self._asked.scheduled_at, self._settings.clock()
        if at is not None and self._has_passed:
            local = now.astimezone(self._settings.zone)
            raise CampaignRefused(
                f"--at: {at.isoformat()} has passed; it is {local:%Y-%m-%d %H:%M} in "
                f"{self._settings.timezone}.",
                hint="Give a later time, or leave --at out to send at once. Nothing was sent.",
            )

    def _request(self) -> BulkRequest:
        """Return what is sent: to those who did not opt out."""
        self._refuse_the_past()
        asked = self._asked
        numbers = self._known.opt_outs.left_in(asked.recipients.numbers)
        if not numbers:
            invalid = asked.recipients.invalid
            opted_out = asked.recipients.numbers
            if not invalid and not opted_out:
                raise CampaignRefused(
                    "There are no recipients: no row holds anything.",
                    hint="Check the recipients. Nothing was sent.",
                )
            first = f" Row {invalid[0].row}: {invalid[0].reason}." if invalid else ""
            raise CampaignRefused(
                f"Nobody is left to send to. Rows without a number: {len(invalid):,}; "
                f"numbers that opted out: {len(opted_out):,}.{first}",
                hint="Check the recipients. Nothing was sent.",
            )
        return BulkRequest(
            asked.sender, asked.text, numbers, service_code=asked.service, delivery_at=asked.scheduled_at
        )

    @staticmethod
    async def _dry_run(writer: Lox24Writer, request: BulkRequest) -> BulkStatus:
        try:
            return (await writer.dry_run(request)).bulk.status
        except AnswerLost as exc:
            cause = exc.__cause__
            because = f" {cause.message}" if isinstance(cause, ProviderError) else ""
            raise ProviderError(
                f"LOX24 answered no dry run, and nothing was sent.{because}",
                hint="Run the same command again later.",
                status=exc.status,
            ) from exc

    async def _plan(self, writer: Lox24Writer, request: BulkRequest, dry: BulkStatus, currency: str) -> Plan:
        asked, known = self._asked, self._known
        preview = preview_of(asked.text)
        estimate = estimate_of(
            request.phones,
            parts=preview.parts,
            service=asked.service,
            currency=currency,
            prices=known.prices,
        )
        cost = await self._cost_of(writer, dry, is_needed=estimate.cost is None)
        by_rules = cost_centre_of(
            known.rules,
            sender=known.pii.treated("sender_id", asked.sender),
            key_id=dry.key_id,
            source=dry.source,
        )
        cost_centre = asked.cost_centre or by_rules
        with self._warehouse.begin() as transaction:
            budgets = read_budgets(transaction, self._day, {cost_centre, by_rules}, but_not=self._id)
            budgets_as_of = read_as_of(transaction)
            is_stale = is_budget_stale(transaction, self._settings.data_dir)
            is_unknown = asked.cost_centre is not None and is_unknown_where_budgets_are(
                transaction, self._day, cost_centre
            )
        return Plan(
            recipients=len(request.phones),
            asked=asked.recipients,
            opted_out=len(asked.recipients.numbers) - len(request.phones),
            preview=preview,
            estimate=estimate,
            provider_cost=cost,
            currency=currency,
            cost_centre=cost_centre,
            cost_centre_of_rules=by_rules,
            business_month=self._day.replace(day=1),
            budgets=tuple(budgets),
            budgets_as_of=budgets_as_of,
            is_budget_stale=is_stale,
            is_cost_centre_unknown=is_unknown,
        )

    async def _cost_of(self, writer: Lox24Writer, dry: BulkStatus, *, is_needed: bool) -> Decimal | None:
        """Return what the provider says its dry run would have cost, which it may say a little later.

        Args:
            writer: Asks.
            dry: As the provider answered it.
            is_needed: Whether to wait, since there is no estimate.
        """
        for look in range(_DRY_RUN_LOOKS):
            if not dry.is_open:
                return dry.msg_total_cost or None  # a bulk of nothing but nought was not priced
            if not is_needed:
                return None
            if not look:
                self._say("Waiting for what LOX24's dry run says of the cost.")
            await self._sleep(_BETWEEN_LOOKS)
            dry = await writer.bulk_status(dry.uuid)
        return None

    def _campaign(self, plan: Plan, request: BulkRequest, dry: BulkStatus) -> Campaign:
        earlier, now = self._known.earlier, as_utc(self._settings.clock())
        at = request.delivery_at
        # What was lost before is looked for again, should this be lost too. The provider's clock is the one
        # that its list goes by, as far as it is behind ours.
        is_open = earlier is not None and earlier.state is State.INTENDED
        pii = self._known.pii
        masked = Pii(PiiPolicy.PSEUDONYMISE, pii.key, retired=pii.retired)  # whatever is kept elsewhere
        return Campaign(
            campaign_id=self._id,
            key=self._key,
            digest=self._digest,
            state=State.INTENDED,
            bulk_id=None,
            sender_id=masked.treated("sender_id", request.sender_id),
            service_code=self._asked.service,
            encoding=plan.preview.encoding,
            scheduled_at=as_utc(at) if at else None,
            business_month=plan.business_month,
            recipients=plan.recipients,
            recipients_digest=digest_of(self._known.pii, (), request.phones),
            invalid=len(plan.asked.invalid),
            duplicates=plan.asked.duplicates,
            opted_out=plan.opted_out,
            parts=plan.parts,
            cost_planned=plan.cost,
            currency=plan.currency,
            cost_centre=plan.cost_centre,
            over_budget_reason=self._asked.over_budget_reason if plan.objections else None,
            attempts=earlier.attempts + 1 if earlier else 1,
            intended_at=earlier.intended_at if earlier and is_open else min(now, dry.created_at),
            asked_at=now,
            known_at=None,
            known_by=None,
            cancelled_at=None,
            version=__version__,
        )

    async def _send(self, writer: Lox24Writer, request: BulkRequest, campaign: Campaign) -> Campaign:
        try:
            created = await writer.create_bulk(request)
        except AnswerLost as exc:
            found = await self._lost().find_now(writer, campaign, exc)
            return self._note(campaign, State.SENT, KnownBy.SEARCH, found)
        except ProviderError:
            with suppress(
                DataDirError, WarehouseError
            ):  # it stays intended then, and is looked for the next time
                self._note(campaign, State.REFUSED, KnownBy.ANSWER)
            raise
        return self._note(campaign, State.SENT, KnownBy.ANSWER, created.bulk.uuid)

    def _lost(self) -> Lost:
        asked, known = self._asked, self._known
        numbers = known.opt_outs.left_in(asked.recipients.numbers)
        return Lost(asked.sender, asked.text, numbers, digest_of(known.pii, (), numbers), known.claimed)

    async def _looked_for(self, writer: Lox24Writer, earlier: Campaign) -> Campaign | None:
        """Return an earlier campaign if it was sent after all; None once it counts as not sent."""
        found = await self._lost().find_earlier(
            writer, earlier, clock=self._settings.clock, sleep=self._sleep, say=self._say
        )
        return None if found is None else self._note(earlier, State.SENT, KnownBy.SEARCH, found)

    def _note(
        self, campaign: Campaign, state: State, known_by: KnownBy, bulk_id: UUID | None = None
    ) -> Campaign:
        now = as_utc(self._settings.clock())
        known = replace(campaign, state=state, bulk_id=bulk_id, known_by=known_by.value, known_at=now)
        try:
            with self._patient.begin() as transaction:
                write_campaign(transaction, known)
        except (DataDirError, WarehouseError) as exc:
            if bulk_id is None:
                raise
            raise CampaignUnclear(
                f"The campaign was sent as bulk {bulk_id}, but that could not be written down: {exc.message}",
                hint="Run the same command again: it finds the bulk and writes it down. Nothing is sent "
                "twice.",
            ) from exc
        return known

    def _write_ledger(self) -> None:
        """Write the requests that were made; what was sent does not depend on it."""
        try:
            with self._warehouse.begin() as transaction:
                write_requests(transaction, self._id, self._ledger)
        except WarehouseError as exc:
            _log.warning("The requests could not be written to ops.request: %s", exc.message)


def _recorded(campaign: Campaign | None) -> dict[str, Any] | None:
    """Return the dry run of a campaign that was sent before, as far as its record has it."""
    if campaign is None:
        return None
    return {
        "recipients": campaign.recipients,
        "invalid": campaign.invalid,
        "duplicates": campaign.duplicates,
        "opted_out": campaign.opted_out,
        "parts": campaign.parts,
        "cost": None if campaign.cost_planned is None else f"{campaign.cost_planned:f}",
        "currency": campaign.currency,
    }
