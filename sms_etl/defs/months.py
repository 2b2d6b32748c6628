"""What is done by business month: its report, and reading it again from the provider.

Both are assets with a partition a month, so that Dagster shows which months are done.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from sms_etl.build import build_and_check
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.publishing import PUBLISHED
from sms_etl.defs.relations import SMS
from sms_etl.defs.resources import WRITER_POOL, SettingsParam, settings_or_defaults
from sms_etl.defs.summaries import messages_by_day
from sms_etl.errors import ChecksFailed, NoDataForPeriod
from sms_etl.finance.closing.close import CloseResult, Status
from sms_etl.finance.period import next_month
from sms_etl.finance.report import ReportResult, write_report
from sms_etl.overview.refresh import refresh_overview
from sms_etl.pipeline import propose_close
from sms_etl.settings import Settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import SyncResult, Task
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import published

REPORT = dg.AssetKey(["reports", "month"])
READ_AGAIN = dg.AssetKey(["lox24", "months_read_again"])
CLOSING_CHECK = "month_can_be_closed"
_BACKFILL_TAG = "dagster/backfill"
_FIRST_MONTH = "2020-01-01"


def months() -> dg.MonthlyPartitionsDefinition:
    """Return the business months, from that of SMS_ETL_START on, in the time zone of the business days."""
    settings = settings_or_defaults()
    start = f"{settings.start:%Y-%m-01}" if settings.start else _FIRST_MONTH
    return dg.MonthlyPartitionsDefinition(start_date=start, timezone=settings.timezone)


@dg.multi_asset(
    name="month_report",
    specs=[
        dg.AssetSpec(
            REPORT,
            deps=[PUBLISHED],
            description="The finance report of a business month, as HTML and XLSX, from the published copy.",
            group_name="reports",
            owners=["team:messaging"],
            kinds={"html", "xlsx"},
            skippable=True,
        )
    ],
    partitions_def=months(),
    check_specs=[
        dg.AssetCheckSpec(
            CLOSING_CHECK,
            asset=REPORT,
            description="Nothing speaks against closing the month, or it is closed. Nothing is closed here.",
        )
    ],
    pool=WRITER_POOL,
)
def month_report(
    context: dg.AssetExecutionContext, settings: SettingsParam
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Write the report of a month, and say whether it can be closed."""
    month = date.fromisoformat(context.partition_key)
    with sanitised_failures():
        loaded = settings.load()
        try:
            with published(loaded) as connection:
                report = write_report(connection, month, loaded.reports_dir, generated_at=loaded.clock())
                by_day = messages_by_day(connection, month)
            proposal = propose_close(loaded, month)
        except NoDataForPeriod as exc:
            context.log.info(exc.message)
            yield _check(passed=True, metadata={"nothing to close": exc.message})
            return
    facts = _facts_of_report(report) | {"by day": dg.MetadataValue.md(by_day)}
    yield dg.MaterializeResult(asset_key=REPORT, metadata=facts)
    yield _check(passed=proposal.status is not Status.REFUSED, metadata=_facts_of_proposal(proposal))


def _check(*, passed: bool, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=REPORT,
        check_name=CLOSING_CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _facts_of_report(report: ReportResult) -> dict[str, Any]:
    totals = "\n".join(f"| {currency} | {cost:,.6f} |" for currency, cost in sorted(report.cost.items()))
    return {
        "files": dg.MetadataValue.json([str(path) for path in report.files]),
        "report id": report.report_id,
        "messages": report.messages,
        "closed": report.is_closed,
        "cost": dg.MetadataValue.md(f"| currency | cost, net of VAT |\n|---|--:|\n{totals}"),
    }


def _facts_of_proposal(proposal: CloseResult) -> dict[str, Any]:
    month = f"{proposal.month:%Y-%m}"
    if proposal.status is Status.ALREADY_CLOSED:
        return {"state": f"{month} is closed"}
    if proposal.status is Status.CLOSED:
        return {"state": f"{month} can be closed", "next": f"sms-etl close --month {month}"}
    return {"state": f"{month} cannot be closed yet", "why": dg.MetadataValue.md(_listed(proposal.reasons))}


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


@dg.multi_asset(
    name="read_again",
    specs=[
        dg.AssetSpec(
            READ_AGAIN,
            description=(
                "Months that were read again from the provider, whatever is stored of them. For a month that "
                "lacks something, or after landed files were lost; ordinary runs need none of it."
            ),
            group_name="lox24",
            owners=["team:messaging"],
            kinds={"python", "duckdb"},
            metadata={"fills": SMS.to_user_string()},
            skippable=True,  # each month is told of once it is read, and not once more at the end
        )
    ],
    partitions_def=months(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=WRITER_POOL,
    retry_policy=dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL),
)
def read_again(
    context: dg.AssetExecutionContext, settings: SettingsParam
) -> Iterator[dg.MaterializeResult[None]]:
    """Read months again, one after the other; then build, test and publish.

    A month that was read in the same backfill is not read once more when its run is retried.
    """
    with sanitised_failures():
        loaded = settings.load()
        for key in context.partition_keys:
            if _is_done(context, key):
                context.log.info(f"{key[:7]} was read before the run was interrupted.")
                continue
            result = run_sync(loaded, _of_month(loaded, date.fromisoformat(key)))
            # At once: a run that ends in the middle of its months shows which are done.
            context.log_event(_read(context, key, result))
        build = build_and_check(loaded)
        if build.failures:
            raise ChecksFailed(
                "What was read does not pass its checks, and is not published.",
                hint="sms-etl build says which.",
            )
        publish(loaded)
        refresh_overview(loaded)
    yield from ()


def _of_month(settings: Settings, first: date) -> Task:
    def start(month: date) -> datetime:
        return datetime(month.year, month.month, 1, tzinfo=settings.zone).astimezone(UTC)

    return Task(since=start(first), until=start(next_month(first)) - timedelta(seconds=1))


def _read(context: dg.AssetExecutionContext, key: str, result: SyncResult) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        READ_AGAIN,
        partition=key,
        metadata={
            "by": _origin(context),
            "rows_seen": result.rows_seen,
            "rows_new": result.rows_new,
            "rows_changed": result.rows_changed,
            "requests": result.requests,
            "seconds": round(result.seconds, 3),
        },
    )


def _is_done(context: dg.AssetExecutionContext, key: str) -> bool:
    """Return whether a month was last read by this backfill, or by the run that this one repeats."""
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(READ_AGAIN, asset_partitions=[key]), limit=1
    )
    for record in found.records:
        event = record.asset_materialization
        by = event.metadata.get("by") if event else None
        return by is not None and by.value == _origin(context)
    return False


def _origin(context: dg.AssetExecutionContext) -> str:
    """Return what a run and its repetitions have in common."""
    run = context.run
    return run.tags.get(_BACKFILL_TAG) or run.root_run_id or run.run_id
