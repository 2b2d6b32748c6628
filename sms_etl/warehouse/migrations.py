"""Brings a warehouse file to the version this code writes, or refuses it; never changes one half-way.

Each step from version N-1 to N is a tuple of SQL statements in `STEPS[N]`; all steps run in the caller's
transaction, DDL included, so that a failed migration leaves the file as it was. `tables.py` always shows
the newest version; an empty file gets it at once.
"""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Connection, MetaData, create_mock_engine, func, insert, select, text
from sqlalchemy.sql.elements import ClauseElement

from sms_etl.clock import Clock, as_utc
from sms_etl.errors import NotAWarehouse, WarehouseTooNew
from sms_etl.warehouse import tables
from sms_etl.warehouse.comments import write_table_comments
from sms_etl.warehouse.copies import merge_all_copies
from sms_etl.warehouse.version import VERSION

STEPS: Mapping[int, tuple[str, ...]] = {
    2: (
        "alter table raw.sms alter column source type bigint",
        "alter table raw.bulk alter column source type bigint",
        *merge_all_copies("raw.sms"),
        *merge_all_copies("raw.bulk"),
        "alter table ops.account add column is_sandbox boolean",
        "alter table ops.sync_run add column purpose varchar",
        "alter table ops.sync_run add column rows_pruned bigint",
        "alter table ops.sync_run add column prices_rounded bigint",
        "alter table ops.sync_run add column quarantine_open bigint",
        "alter table ops.sync_run add column quarantine_files bigint",
        "alter table ops.sync_run add column differences bigint",
        "alter table ops.sync_run add column bulks_differing bigint",
        "alter table ops.sync_run add column bulks_error varchar",
        "alter table ops.sync_run add column unknown_fields json",
        "alter table ops.fetch_window add column purpose varchar",
        "alter table ops.quarantine add column created_at timestamp",
        "alter table ops.quarantine add column accepted_at timestamp",
        "alter table ops.quarantine add column accepted_reason varchar",
        "alter table ops.quarantine add column kind varchar default 'row'",
        "alter table ops.quarantine add column landed varchar",
        "alter table ops.quarantine add column since_at timestamp",
        "alter table ops.quarantine add column until_at timestamp",
        "alter table ops.sync_run add column files_quarantined bigint",
        "alter table ops.build_context add column project_digest varchar",
        "alter table ops.build_context add column loaded_digest varchar",
        "alter table ops.build_context add column is_current boolean",
        # It held the characters themselves, letters of names and digits of codes among them.
        "update raw.sms set text_non_gsm = null where not starts_with(text_non_gsm, '{')",
        """
        update ops.quarantine
        set created_at = make_timestamp(1000000 * try_cast(raw ->> 'created_at' as bigint))
        where json_valid(raw) and try_cast(raw ->> 'created_at' as bigint) between 1 and 253402300799
        """,
        # It was that of the first window of a load, which need not be the row's own.
        "update ops.quarantine set window_id = null where created_at is null",
        # Version 1 called three purposes `poll`. What it asked for by uuid had been seen, as in a replay; a
        # run that ended well without a look at bulks was a backfill.
        """
        update ops.fetch_window set purpose = case
            when observed_by <> 'poll' then observed_by
            when since_at is null then 'replay'
            when run_id in (select run.run_id from ops.sync_run as run where run.stopped_reason = 'done')
                and run_id not in (select w.run_id from ops.fetch_window as w where w.stream = 'bulks')
                then 'backfill'
            else 'forward'
        end
        """,
        "alter table ops.late_row add column purpose varchar",
        # A forward window reads at most a day before the watermark: what lay further back came by a backfill.
        """
        update ops.late_row set purpose = case
            when observed_by <> 'poll' then observed_by
            when watermark_at - created_at > interval 1 day then 'backfill'
            when exists (
                select 1 from ops.fetch_window as w
                where w.stream = 'sms' and w.purpose = 'backfill' and w.fetched_at = late_row.first_seen_at
                    and late_row.created_at between w.since_at and w.until_at
            ) then 'backfill'
            else 'forward'
        end
        """,
        """
        create table ops.provider_fact (
            fact varchar not null, value varchar not null, is_as_assumed boolean not null,
            explanation varchar not null, observed_at timestamp not null
        )
        """,
        """
        create table ops.publication (
            published_at timestamp not null, contents varchar not null, is_forced boolean not null,
            forced_reason varchar, failed_tests json not null
        )
        """,
        """
        create table ops.pii (policy varchar not null, key_fingerprint varchar, since_at timestamp not null)
        """,
        """
        create table ops.pii_receipt (
            receipt_id uuid not null, kind varchar not null, started_at timestamp not null,
            finished_at timestamp, messages bigint, quarantined bigint, files bigint, reason varchar
        )
        """,
    ),
    3: (
        "alter table ops.build_context add column selection varchar",
        """
        create table ops.failed_test_rows (
            tested_at timestamp not null, model varchar not null, test varchar not null,
            number integer not null, row json not null
        )
        """,
        """
        create table ops.model_state (
            model varchar not null, signature varchar not null, as_of_at timestamp not null,
            version bigint not null, days_since bigint not null, rows bigint not null, tested_digest varchar
        )
        """,
        """
        create table ops.source_state (
            model varchar not null, relation varchar not null, day date, rows bigint not null,
            fingerprint bigint not null
        )
        """,
        """
        create table ops.model_day (
            model varchar not null, of_column varchar not null, version bigint not null, day date not null
        )
        """,
        "create table ops.built_relation (relation varchar not null)",
        # Every model and seed that was built has this test.
        """
        insert into ops.built_relation
        select distinct test.model from ops.model_test as test where test.test = 'grain_unique'
        """,
    ),
    4: (
        "create schema if not exists finance",
        """
        create table finance.closed_period (
            month date not null, closed_at timestamp not null, timezone varchar not null,
            digest varchar not null, digest_version integer not null, totals json not null,
            figures json not null, figures_digest varchar not null, is_forced boolean not null,
            forced_reason varchar, overridden_reasons json not null, invoice_digest varchar,
            differences json not null, version varchar not null
        )
        """,
        """
        create table finance.closed_line (
            month date not null, uuid uuid not null, created_at timestamp not null,
            business_day date not null, currency varchar not null, price decimal(18, 6), parts integer,
            cost_centre varchar not null, country_code varchar not null, service_code varchar not null,
            delivery_status varchar not null
        )
        """,
        """
        create table finance.correction (
            closed_month date not null, booked_month date not null, uuid uuid not null, kind varchar not null,
            messages smallint not null, currency varchar not null, amount decimal(18, 6) not null,
            cost_centre varchar not null, country_code varchar not null, service_code varchar not null,
            detected_at timestamp not null
        )
        """,
    ),
    5: (
        """
        create table ops.deletion (
            sequence bigint not null, recorded_at timestamp not null, event varchar not null,
            operation_id uuid not null, plan_id uuid, action varchar not null, place varchar not null,
            rule varchar not null, what varchar not null, proof_digest varchar, actor varchar not null,
            answer_count bigint, request_id varchar, note varchar, previous_hash varchar not null,
            hash varchar not null
        )
        """,
        """
        create table ops.hold (
            hold_id uuid not null, added_at timestamp not null, actor varchar not null,
            reason varchar not null, ends_at timestamp, uuid uuid, sender_id varchar, key_id bigint,
            bulk_id uuid, since_at timestamp, until_at timestamp, removed_at timestamp,
            removed_reason varchar
        )
        """,
        """
        create table ops.retention_plan (
            plan_id uuid not null, planned_at timestamp not null, expires_at timestamp not null,
            policy_digest varchar not null, items_digest varchar not null, content varchar not null,
            begun_at timestamp, finished_at timestamp
        )
        """,
        """
        create table ops.retention_item (
            plan_id uuid not null, rule varchar not null, target varchar not null, item varchar not null,
            messages bigint not null, state varchar not null
        )
        """,
        """
        create table ops.campaign (
            campaign_id uuid not null, key varchar not null, digest varchar not null, state varchar not null,
            bulk_id uuid, sender_id varchar, service_code varchar not null, encoding varchar not null,
            scheduled_at timestamp, business_month date not null, recipients bigint not null,
            recipients_digest varchar not null, invalid bigint not null, duplicates bigint not null,
            opted_out bigint not null, parts bigint not null, cost_planned decimal(18, 6),
            currency varchar not null, cost_centre varchar not null, over_budget_reason varchar,
            attempts integer not null,
            intended_at timestamp not null, asked_at timestamp not null, known_at timestamp,
            known_by varchar, cancelled_at timestamp, version varchar not null
        )
        """,
        """
        create table ops.erasure (
            erasure_id uuid not null, planned_at timestamp not null, expires_at timestamp not null,
            subject varchar, state varchar, actor varchar not null, started_at timestamp,
            finished_at timestamp, result varchar not null
        )
        """,
    ),
    6: (
        "alter table raw.sms add column delivered_at timestamp",
        "alter table ops.sync_run add column events_read bigint",
        "alter table ops.sync_run add column events_changed bigint",
        "alter table ops.sync_run add column events_damaged bigint",
        """
        create table ops.delivery_event (
            event_id uuid not null, uuid uuid not null, event_at timestamp not null, status_code integer,
            dlr_code integer not null, received_at timestamp not null, recorded_at timestamp not null,
            applied_at timestamp, outcome varchar
        )
        """,
    ),
}
_RELATIONS = """
select schema_name || '.' || table_name from duckdb_tables()
where database_name = current_database() and not internal
union all
select schema_name || '.' || view_name from duckdb_views()
where database_name = current_database() and not internal
"""


def migrate(
    connection: Connection,
    clock: Clock,
    *,
    version: int = VERSION,
    steps: Mapping[int, tuple[str, ...]] = STEPS,
    metadata: MetaData = tables.metadata,
) -> None:
    """Bring the file behind `connection` to `version`, in the transaction that is open on it.

    Raises:
        WarehouseTooNew: It was written by a newer version of this package.
        NotAWarehouse: It holds tables, but not ours.
    """
    found = _found_version(connection)
    if found == version:
        return
    if found is not None and found > version:
        raise WarehouseTooNew(
            f"The warehouse has version {found}; this sms_etl writes version {version}.",
            hint="Upgrade sms_etl, or point SMS_ETL_WAREHOUSE at another file. Nothing was changed.",
        )
    if found is None:
        connection.exec_driver_sql(_creation(metadata)).all()
    else:
        for number in range(found + 1, version + 1):
            for statement in steps[number]:
                connection.execute(text(statement))
        write_table_comments(connection.connection.driver_connection)  # type: ignore[arg-type]  # see store.py
    connection.execute(insert(tables.schema_version).values(version=version, migrated_at=as_utc(clock())))


@cache
def _creation(metadata: MetaData) -> str:
    """Return the statements that make the tables and their comments; writing them takes longest."""
    schemas = sorted({table.schema for table in metadata.tables.values() if table.schema})
    statements = [f"create schema if not exists {schema}" for schema in schemas]

    def note(statement: ClauseElement, *_: object, **__: object) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("duckdb://", note)
    metadata.create_all(engine, checkfirst=False)
    return "; ".join(statements)


def _found_version(connection: Connection) -> int | None:
    """Return the file's version, or None if it is empty."""
    found = set(connection.execute(text(_RELATIONS)).scalars())
    if "ops.schema_version" in found:
        if "raw.sms" not in found:
            raise NotAWarehouse(
                "The warehouse file is a published copy, without the provider's rows: "
                "it cannot be the warehouse.",
                hint="Start again from a file of `sms-etl backup`, or of SMS_ETL_PUBLISH=all; "
                "docs/operations.md says how. Nothing was changed.",
            )
        version: int | None = connection.scalar(select(func.max(tables.schema_version.c.version)))
        return version
    if found:
        raise NotAWarehouse(
            f"The warehouse file holds {len(found)} tables or views that sms_etl did not make.",
            hint="Point SMS_ETL_WAREHOUSE or SMS_ETL_DATA_DIR elsewhere. Nothing was changed.",
        )
    return None
