"""The job that shows how far campaigns are. Nothing is sent or cancelled from Dagster."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from sms_etl.campaigns.change import BulkNow, live_bulks
from sms_etl.campaigns.listing import BulkLine, list_bulks, status_word
from sms_etl.campaigns.record import State
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.resources import EXECUTOR, WRITER_POOL, SettingsParam


class LookBack(dg.Config):
    """How far to look back."""

    days: int = Field(default=31, ge=1, le=366, description="Show bulks created in so many days.")


@dg.op(pool=WRITER_POOL, out=dg.Out(dg.Nothing))
def show_campaigns(context: dg.OpExecutionContext, config: LookBack, settings: SettingsParam) -> None:
    """Ask the provider how far its bulks are; fails while it is not known whether a campaign was sent."""
    with sanitised_failures():
        loaded = settings.load()
        bulks = live_bulks(loaded, loaded.clock() - timedelta(days=config.days))
        unclear = [line for line in list_bulks(loaded) if line.state == State.INTENDED]
    context.add_output_metadata({"bulks": len(bulks), "status": dg.MarkdownMetadataValue(_table(bulks))})
    if unclear:
        raise dg.Failure(_words(unclear), allow_retries=False)


@dg.job(executor_def=EXECUTOR)
def campaign_status() -> None:
    """Show how far the provider is with bulks, beside what was planned of those that were sent from here."""
    show_campaigns()


def _table(bulks: list[BulkNow]) -> str:
    if not bulks:
        return "The provider has no bulks of these days."
    heading = "| created (UTC) | bulk | campaign | status | messages | planned |\n|---|---|---|---|--:|--:|\n"
    return heading + "\n".join(_row(each) for each in bulks)


def _row(bulk: BulkNow) -> str:
    status, campaign = bulk.status, bulk.campaign
    key = campaign.key.replace("|", "\\|") if campaign else ""
    cells = (
        f"{status.created_at:%Y-%m-%d %H:%M}",
        str(status.uuid)[:8],
        key,
        status_word(status.status_code),
        "" if status.msg_total_count is None else f"{status.msg_total_count:,}",
        f"{campaign.recipients:,}" if campaign else "",
    )
    return f"| {' | '.join(cells)} |"


def _words(unclear: list[BulkLine]) -> str:
    keys = ", ".join(str(line.key) for line in unclear)
    return (
        f"Whether these campaigns were sent is not known: {keys}.\n"
        "Run the command of each again, which looks before it sends; or `sms-etl bulks resolve`."
    )
