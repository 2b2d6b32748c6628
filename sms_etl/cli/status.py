"""What is loaded, how fresh it is, what needs attention: read from the warehouse, never from the provider."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from sms_etl.campaigns.opt_out_file import check_opt_outs
from sms_etl.errors import SmsEtlError
from sms_etl.events.segments import backlog
from sms_etl.pii.state import held_pii, told_pii
from sms_etl.pii.state import is_unapplied as is_policy_unapplied
from sms_etl.settings import Settings
from sms_etl.sync.bulks import count_differing
from sms_etl.warehouse.copied import behind
from sms_etl.warehouse.open_campaigns import unclear_campaigns
from sms_etl.warehouse.publication import build_error, built_in_part, failed_checks, last_publication
from sms_etl.warehouse.quarantine import count_open, count_open_files
from sms_etl.warehouse.read import has_relation, newest

_COUNTS = """
select
    (select count(*) from {messages}) as messages,
    (select count(*) from {bulks} where not coalesce(is_dryrun, false)) as bulks,
    (select coalesce(sum(prices_rounded), 0) from ops.sync_run) as prices_rounded,
    (select watermark_at from ops.watermark where stream = 'sms') as watermark,
    (select max(built_at) from ops.build_context) as built_at,
    (select account_id from ops.account) as account_id,
    (select currency from ops.account) as currency
"""
_LAST_RUN = "select * from ops.sync_run order by started_at desc, rowid desc limit 1"
_WARNINGS = """
select model || ': ' || test || ' (' || failures || ' rows)'
from ops.model_test where failures > 0 and severity <> 'error' order by model, test
"""
_LATENESS = """
select
    count(*) as messages,
    quantile_cont(epoch(watermark_at - created_at), 0.5) as median_seconds,
    quantile_cont(epoch(watermark_at - created_at), 0.95) as p95_seconds,
    max(epoch(watermark_at - created_at)) as longest_seconds,
    count(*) filter (where purpose = 'reconcile') as beyond_overlap
from ops.late_row
where purpose in ('forward', 'reconcile')
"""
_OPEN = """
select count(*) filter (where not is_aged_out and not is_gone), count(*) filter (where is_aged_out)
from marts.fct_sms where not is_final
"""
_SETTLED = """
select count(*) filter (where settled_by = 'webhook'), count(*) filter (where settled_by != 'webhook')
from marts.fct_sms where is_final
"""
_WAITING = "select count(*) from ops.delivery_event where outcome is null"


@dataclass(frozen=True)
class Status:
    """The state of one data directory; times are UTC."""

    warehouse: Path
    account_id: str | None
    currency: str | None
    messages: int
    open_messages: int | None
    """Not final and still asked for; None before the first build."""
    aged_out: int | None
    """Not final, and no longer re-fetched; None before the first build."""
    settled_by_event: int | None
    """Final messages that a delivery event of the webhook settled; None before the first build."""
    settled_by_poll: int | None
    """Final messages that a sync saw final first; None before the first build."""
    events_waiting: int
    """Delivery events whose message is not there yet."""
    events_unread: int
    """Bytes of delivery events that wait for the next sync."""
    bulks: int
    """Without dry runs, as `sms-etl bulks list` shows them."""
    bulks_differing: int | None
    """Those whose messages do not add up to the provider's totals of them; None while the warehouse is locked
    and the published copy does not hold the provider's rows."""
    watermark: datetime | None
    built_at: datetime | None
    published_at: datetime | None
    """Of the copy analysts read; None if there is none, or it is older than `ops.publication`."""
    copies_behind: tuple[str, ...]
    """Which copies beside the published one do not hold it: `Parquet`, `PostgreSQL`."""
    forced: dict[str, Any] | None
    """The row of `ops.publication` of the published copy if it failed a blocking check; else None."""
    quarantine_open: int
    """Rows that could not be loaded and wait for somebody, and landed files."""
    quarantine_files: int
    """How many of them are landed files."""
    campaigns_unclear: tuple[str, ...]
    """Keys of campaigns of which it is not known whether they were sent."""
    opt_outs_error: str | None
    """Why the list of those who opted out cannot be read: no campaign is sent meanwhile. None: it can."""
    personal_data: str
    """What is kept of numbers and texts: `pseudonymise`, or `keep`."""
    is_policy_unapplied: bool
    """Numbers and texts are stored that the settings' policy says are not to be kept: `sms-etl pii apply`."""
    is_rotation_unfinished: bool
    """`sms-etl pii rotate` was interrupted: run it again."""
    prices_rounded: int
    """Amounts that were written with binary noise, over all syncs, each time they were read."""
    lateness: dict[str, Any] | None
    """Of the messages that became visible after their time had been read: how many, how far behind the
    watermark they lay in seconds, and how many the overlap missed, found by reconciliation; or None."""
    failed_tests: tuple[str, ...]
    build_error: str | None
    """What error the last build ended in; None: in none."""
    warnings: tuple[str, ...]
    last_run: dict[str, Any] | None
    """Its row in `ops.sync_run`, with all it counted; None before the first one."""

    @property
    def needs_attention(self) -> bool:
        """Whether rows wait, bulks were not read, a check failed, a copy, a policy or campaigns are open."""
        bulks_error = self.last_run and self.last_run.get("bulks_error")
        return bool(
            self.quarantine_open
            or self.failed_tests
            or self.forced
            or self.copies_behind
            or bulks_error
            or self.campaigns_unclear
            or self.opt_outs_error
            or self.is_policy_unapplied
            or self.is_rotation_unfinished
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times are ISO 8601 with their offset."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def read_status(settings: Settings) -> Status:
    """Read the state of the data directory.

    Raises:
        NoWarehouse: Nothing was loaded yet.
    """
    with newest(settings) as connection:
        has_rows = has_relation(connection, "raw", "sms")
        has_facts = has_relation(connection, "marts", "fct_sms")
        counts = _counts(connection, has_rows=has_rows, has_facts=has_facts)
        warnings = connection.execute(_WARNINGS).fetchall()
        publication = last_publication(connection)
        lateness = _one(connection, _LATENESS)
        differing = count_differing(connection, overlap=settings.overlap) if has_rows else None
        opened = connection.execute(_OPEN).fetchone() if has_facts else None
        settled = _settled(connection) if has_facts else None
        has_events = has_relation(connection, "ops", "delivery_event")
        waiting = connection.execute(_WAITING).fetchone() if has_events else None
        last_run = _last_run(connection)
        held = held_pii(connection, settings) if has_rows else told_pii(connection)
        is_unapplied = is_policy_unapplied(held, settings)
        is_rotating = held is not None and held.is_rotating
        bulks_error = last_run.get("bulks_error") if last_run else None
        unclear = unclear_campaigns(connection)
        opt_outs_error = _opt_outs_error(settings)
        is_copied = publication is not None and has_facts  # before the first build there is nothing to copy
        copies_behind = behind(settings, publication["published_at"]) if publication and is_copied else ()
        return Status(
            warehouse=Path(settings.warehouse_url.removeprefix("duckdb:///")),
            open_messages=opened[0] if opened else None,
            aged_out=opened[1] if opened else None,
            settled_by_event=settled[0] if settled else None,
            settled_by_poll=settled[1] if settled else None,
            events_waiting=waiting[0] if waiting else 0,
            events_unread=backlog(settings.events_dir),
            bulks_differing=differing,
            quarantine_open=count_open(connection),
            quarantine_files=count_open_files(connection),
            campaigns_unclear=unclear,
            opt_outs_error=opt_outs_error,
            personal_data=(held.policy if held else settings.pii).value,
            is_policy_unapplied=is_unapplied,
            is_rotation_unfinished=is_rotating,
            published_at=publication["published_at"] if publication else None,
            copies_behind=copies_behind,
            forced=publication if publication and publication["is_forced"] else None,
            failed_tests=failed_checks(connection),
            build_error=build_error(connection),
            warnings=(
                *_policy_warnings(settings, is_unapplied=is_unapplied, is_rotating=is_rotating),
                *([f"bulks could not be read: {bulks_error}"] if bulks_error else []),
                *([f"bulks that do not add up to their messages: {differing}"] if differing else []),
                *_interrupted_erasures(connection),
                *(
                    f"{copy} does not hold what is published: `sms-etl publish` says why"
                    for copy in copies_behind
                ),
                *(f"{said}: `sms-etl build` builds all" for said in built_in_part(connection)),
                *(f"campaign {key}: not known whether it was sent; run its command again" for key in unclear),
                *([opt_outs_error] if opt_outs_error else []),
                *(text for (text,) in warnings),
            ),
            last_run=last_run,
            lateness=lateness if lateness and lateness["messages"] else None,
            **counts,
        )


def _settled(connection: duckdb.DuckDBPyConnection) -> tuple[int, int] | None:
    """Count what settled messages; None if an earlier version built the models."""
    (is_known,) = connection.execute(
        "select count(*) from duckdb_columns() where database_name = current_database() "
        "and schema_name = 'marts' and table_name = 'fct_sms' and column_name = 'settled_by'"
    ).fetchone() or (0,)
    return connection.execute(_SETTLED).fetchone() if is_known else None


def _policy_warnings(settings: Settings, *, is_unapplied: bool, is_rotating: bool) -> tuple[str, ...]:
    not_applied = f"SMS_ETL_PII={settings.pii.value} is not applied: run `sms-etl pii apply`"
    interrupted = "`sms-etl pii rotate` was interrupted: run it again"
    return (*((not_applied,) if is_unapplied else ()), *((interrupted,) if is_rotating else ()))


def _opt_outs_error(settings: Settings) -> str | None:
    try:
        check_opt_outs(settings)
    except SmsEtlError as exc:
        return f"{exc.message} {exc.hint}"
    return None


def _interrupted_erasures(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Say which erasures were begun and not completed; a published copy does not know."""
    if not has_relation(connection, "ops", "erasure"):
        return ()
    rows = connection.execute(
        "select erasure_id from ops.erasure where started_at is not null and finished_at is null"
    ).fetchall()
    return tuple(
        f"erasure {id_} was interrupted: plan it again with the same number, and apply that"
        for (id_,) in rows
    )


def _counts(connection: duckdb.DuckDBPyConnection, *, has_rows: bool, has_facts: bool) -> dict[str, Any]:
    """Count what is loaded; in a published copy without the provider's rows, what was built of them."""
    messages, bulks = ("raw.sms", "raw.bulk") if has_rows else ("marts.fct_sms", "marts.fct_bulk")
    if not has_rows and not has_facts:  # published by force before the first build
        messages = bulks = "(select false as is_dryrun where false)"
    return _one(connection, _COUNTS.format(messages=messages, bulks=bulks)) or {}


def _last_run(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    run = _one(connection, _LAST_RUN)
    if run is not None and run.get("unknown_fields"):
        run["unknown_fields"] = json.loads(run["unknown_fields"])
    return run


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any] | None:
    answer = connection.execute(sql)
    names = [column[0] for column in answer.description or ()]
    row = answer.fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON values of any kind
    if isinstance(value, datetime):
        return f"{value.isoformat()}+00:00"
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (Path, UUID)):
        return str(value)
    return value
