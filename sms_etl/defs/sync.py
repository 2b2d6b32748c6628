"""The assets `lox24/sms` and `lox24/bulks`: one sync of the provider's account makes both."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import dagster as dg
from pydantic import Field

from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.relations import BULKS, SMS, columns_of
from sms_etl.defs.resources import WRITER_POOL, SettingsParam
from sms_etl.defs.summaries import summary_of_sync
from sms_etl.errors import SettingsError
from sms_etl.models.connection import count_rows
from sms_etl.overview.attention import STALE_AFTER
from sms_etl.sync.engine import run_sync
from sms_etl.sync.task import MOST_RECONCILED_DAYS, RECONCILED_DAYS, SyncResult, Task
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import writable_warehouse

RETRY_POLICY = dg.RetryPolicy(
    max_retries=2,
    delay=60,  # the client has tried for a while itself; what it gave up on takes longer
    backoff=dg.Backoff.EXPONENTIAL,
    jitter=dg.Jitter.PLUS_MINUS,
)
QUARANTINE_CHECK = "nothing_quarantined"
FIELDS_CHECK = "no_new_fields"
BULKS_CHECK = "bulks_agree_with_their_messages"
BULKS_READ_CHECK = "bulks_could_be_read"


class SyncConfig(dg.Config):
    """What a run of the sync is asked to do beside, or instead of, reading what is new."""

    since: str | None = Field(
        default=None,
        description=(
            "Backfill: read messages from this day or moment (UTC) on, as 2026-01-31 or 2026-01-31T08:00:00, "
            "whatever is stored of them. The watermark stays."
        ),
    )
    until: str | None = Field(
        default=None,
        description="Backfill: read messages up to this day or moment (UTC); a day is included whole.",
    )
    reconcile_days: int | None = Field(
        default=None,
        ge=1,
        le=MOST_RECONCILED_DAYS,
        description=(
            "Compare so many of the last days with the provider's totals and read again what differs. "
            "Costs a request a day, and some more for each difference. Left out, nothing is compared; "
            f"the job `sms_reconcile` and `sms-etl sync --reconcile` compare {RECONCILED_DAYS} days."
        ),
    )


FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=STALE_AFTER, warn_window=timedelta(hours=2))
"""Dagster warns after two hours without a sync, and fails once figures count as old."""

_SPECS = [
    dg.AssetSpec(
        SMS,
        freshness_policy=FRESHNESS,
        description=(
            "One row a message, newest state, as the provider has it (`raw.sms`), and the log of its changes "
            "(`raw.sms_change`). Under the PII policy: by default without number and text."
        ),
        group_name="lox24",
        owners=["team:messaging"],
        kinds={"python", "duckdb"},
        metadata={
            "dagster/table_name": "raw.sms",
            "dagster/column_schema": columns_of(tables.sms),
            "grain": "uuid",
        },
    ),
    dg.AssetSpec(
        BULKS,
        description="One row a bulk, newest state, as the provider has it (`raw.bulk`).",
        group_name="lox24",
        owners=["team:messaging"],
        kinds={"python", "duckdb"},
        metadata={
            "dagster/table_name": "raw.bulk",
            "dagster/column_schema": columns_of(tables.bulk),
            "grain": "uuid",
        },
    ),
]


@dg.multi_asset(
    name="lox24_sync",
    specs=_SPECS,
    check_specs=[
        dg.AssetCheckSpec(
            QUARANTINE_CHECK,
            asset=SMS,
            description="No row waits in `ops.quarantine`, of this run or of any before it.",
        ),
        dg.AssetCheckSpec(
            FIELDS_CHECK,
            asset=SMS,
            description="The provider sent no field for the first time; `extra` keeps those not known here.",
        ),
        dg.AssetCheckSpec(
            BULKS_CHECK,
            asset=BULKS,
            description="The messages of each processed bulk add up to its own totals, in number and cost.",
        ),
        dg.AssetCheckSpec(
            BULKS_READ_CHECK,
            asset=BULKS,
            description="The provider's listing of bulks could be read; messages are read without it.",
        ),
    ],
    pool=WRITER_POOL,
    retry_policy=RETRY_POLICY,
)
def lox24_sync(
    context: dg.AssetExecutionContext, config: SyncConfig, settings: SettingsParam
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Bring `raw.*` up to date with the provider."""
    # They log addresses with their filters, and headers; none of it may reach Dagster's log.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with sanitised_failures():
        loaded = settings.load()
        task = _task(config)
        result = run_sync(loaded, task, progress=_ProgressLog(context))
        with writable_warehouse(loaded).begin() as transaction:
            messages = count_rows(transaction.native, "raw.sms")
            bulks = count_rows(transaction.native, "raw.bulk")
            summary = dg.MetadataValue.md(summary_of_sync(transaction.native, result))
    facts = {"summary": summary, "dagster/row_count": messages, **_facts(result)}
    yield dg.MaterializeResult(asset_key=SMS, metadata=facts)
    yield dg.MaterializeResult(
        asset_key=BULKS, metadata={"dagster/row_count": bulks, "run_id": result.run_id}
    )
    yield dg.AssetCheckResult(
        asset_key=SMS,
        check_name=QUARANTINE_CHECK,
        passed=result.quarantine_open == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows that wait": result.quarantine_open, "new in this run": result.rows_quarantined},
    )
    yield dg.AssetCheckResult(
        asset_key=SMS,
        check_name=FIELDS_CHECK,
        passed=not result.unknown_fields,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"fields": ", ".join(result.unknown_fields)},
    )
    yield dg.AssetCheckResult(
        asset_key=BULKS,
        check_name=BULKS_CHECK,
        passed=not result.bulks_differing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"bulks that differ": result.bulks_differing or 0},
    )
    yield dg.AssetCheckResult(
        asset_key=BULKS,
        check_name=BULKS_READ_CHECK,
        passed=result.bulks_error is None,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"error": result.bulks_error or ""},
    )


def _task(config: SyncConfig) -> Task:
    """Return what a run is asked to do.

    Raises:
        SettingsError: What was typed into the launchpad is no day, or does not go together.
    """
    if config.reconcile_days is not None and (config.since or config.until):
        raise SettingsError(
            "`reconcile_days` cannot be combined with `since` and `until`.", hint="Leave one of them out."
        )
    return Task(
        since=_moment("since", config.since),
        until=_moment("until", config.until, is_end=True),
        reconcile_days=config.reconcile_days,
    )


def _moment(name: str, text: str | None, *, is_end: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(
            f"`{name}` is no day or moment.", hint="Give it as 2026-01-31, or as 2026-01-31T08:00:00 (UTC)."
        ) from None
    if is_end and len(text.strip()) == len("2026-01-31"):
        found = datetime.combine(found, time.max.replace(microsecond=0))
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _facts(result: SyncResult) -> dict[str, str | int | float]:
    """Return all a run counted, over both assets, and its watermarks; nothing of any message."""
    facts = result.as_json() | {"unknown_fields": ", ".join(result.unknown_fields)}
    return {name: value for name, value in facts.items() if value is not None}


class _ProgressLog:
    """Logs how far each step is."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._done: dict[str, int] = {}

    def __call__(self, step: str, done: int, total: int | None) -> None:
        self._done[step] = self._done.get(step, 0) + done
        self._context.log.info(f"{step}: {self._done[step]}{'' if total is None else f' of {total}'}")
