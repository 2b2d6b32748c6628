"""Looks for a campaign whose answer was lost, among the provider's bulks, before anything is sent again."""

import logging
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from uuid import UUID

from sms_etl.campaigns.record import Campaign
from sms_etl.clock import Clock, as_utc
from sms_etl.errors import AnswerLost, CampaignUnclear, ProviderError
from sms_etl.providers.lox24.bulk_search import SearchResult
from sms_etl.providers.lox24.writing import Lox24Writer

_log = logging.getLogger(__name__)

SHOWN_LATE = timedelta(seconds=30)
"""A bulk whose answer was lost may come to be listed so late: only then it counts as not sent."""
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Lost:
    """What a lost campaign is looked for by: the command's arguments, as they are now."""

    sender: str = field(repr=False)
    text: str = field(repr=False)
    numbers: tuple[str, ...] = field(repr=False)
    """Whom it would go to now, in E.164; somebody may have opted out since it was sent."""
    numbers_digest: str
    """As `ops.campaign.recipients_digest`."""
    claimed: frozenset[UUID]
    """Bulks that are known to be of other campaigns."""

    async def find(self, writer: Lox24Writer, campaign: Campaign) -> UUID | None:
        """Return the bulk that a campaign became; None if the provider lists none.

        Raises:
            CampaignUnclear: Several may be it, or it cannot be looked for.
        """
        try:
            search = await writer.find_bulk(
                campaign.intended_at.replace(tzinfo=UTC),
                self.sender,
                self.text,
                campaign.recipients,
                phones=self.numbers if self.numbers_digest == campaign.recipients_digest else None,
                apart_from=self.claimed,
            )
        except ProviderError as exc:
            raise CampaignUnclear(
                f"Whether the campaign {campaign.key} was sent is not known: {exc.message}",
                hint=f"Run the same command again: it looks for the bulk first. {_ways_on(campaign)}",
            ) from exc
        if search.result is SearchResult.SEVERAL:
            ids = ", ".join(f"{each.uuid} (created {each.created_at} UTC)" for each in search.bulks)
            raise CampaignUnclear(
                f"Whether the campaign {campaign.key} was sent is not clear: these bulks may be it: {ids}.",
                hint=f"Nothing was sent now. {_ways_on(campaign)}",
            )
        return search.bulks[0].uuid if search.result is SearchResult.FOUND else None

    async def find_now(self, writer: Lox24Writer, campaign: Campaign, lost: AnswerLost) -> UUID:
        """Return the bulk of a campaign that was sent just now, its answer being lost.

        Raises:
            CampaignUnclear: It is not listed so far; or as `find`.
        """
        _log.warning("%s It is looked for.", lost.message)
        found = await self.find(writer, campaign)
        if found is None:
            raise CampaignUnclear(
                f"{lost.message} LOX24 does not list the bulk so far.",
                hint="Run the same command again: it looks once more before anything is sent. "
                f"{_ways_on(campaign)}",
            ) from lost
        return found

    async def find_earlier(
        self,
        writer: Lox24Writer,
        campaign: Campaign,
        *,
        clock: Clock,
        sleep: Sleep,
        say: Callable[[str], None],
    ) -> UUID | None:
        """Return the bulk of a campaign that an earlier command left open; None once it counts as not sent.

        Args:
            writer: Asks.
            campaign: As it is recorded.
            clock: Says how long ago it was to be sent.
            sleep: Waits for what the provider shows late.
            say: Is told what it waits for.

        Raises:
            CampaignUnclear: As `find`.
        """
        say("An earlier command was not answered: looking for its bulk.")
        found = await self.find(writer, campaign)
        left = SHOWN_LATE - (as_utc(clock()) - campaign.asked_at)
        left = min(left, SHOWN_LATE)  # the clock may have been put back
        if found is None and left > timedelta(0):
            say(f"LOX24 may list it late: waiting {left.seconds + 1} s.")
            await sleep(left.total_seconds())
            found = await self.find(writer, campaign)
        return found


def _ways_on(campaign: Campaign) -> str:
    key = shlex.quote(campaign.key)
    return (
        f"Or look in LOX24's web account, and say what is there: `sms-etl bulks resolve --key {key} "
        "--bulk ID`, or `--not-sent` in place of --bulk."
    )
