"""Reads what is known of messages before they are deleted: what rules ask, and what speaks against it.

Everything is read anew whenever it is asked: a plan is made of it, and each batch is proven by it again.
"""

# ruff: noqa: S608 - names are those of our own tables and files, values are parameters

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sms_etl.clock import as_utc
from sms_etl.errors import NoWarehouse
from sms_etl.retention.holds import show_senders
from sms_etl.retention.reasons import Reason
from sms_etl.settings import Settings
from sms_etl.sync.loading.merge import kept_columns
from sms_etl.sync.streams import SMS
from sms_etl.warehouse.kept_rows import HOLDS, reconcile
from sms_etl.warehouse.store import Transaction

FACTS = "retention_facts"
"""The temporary table that `show_facts` makes."""
_SENDERS_OF_ASKED = """
select distinct sms.sender_id from raw.sms as sms semi join retention_asked as asked on sms.uuid = asked.uuid
"""
_LANDED_COLUMNS = ["uuid", "is_gone", "bad_reason", "seen_at"]
_LANDED_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("uuid", pa.string()),
        pa.field("seen_at", pa.timestamp("us")),
        pa.field("is_good", pa.bool_()),
    ]
)
AGAINST_DELETING = """case
    when facts.is_held then 'on_hold'
    when facts.is_waiting then 'in_quarantine'
    when not facts.is_landed then 'not_landed'
    when not facts.is_settled then 'not_settled'
    when not facts.is_priced then 'not_priced'
    when not facts.is_closed and {require_closed} then 'month_not_closed'
    when not facts.is_closed and facts.is_disputable then 'within_dispute_period'
end"""
"""Why a message may not be deleted at the provider; null: nothing speaks against it."""
AGAINST_REMOVING = """case
    when facts.is_held then 'on_hold'
    when facts.is_waiting then 'in_quarantine'
    when not facts.is_settled then 'not_settled'
    when not facts.is_closed and {require_closed} then 'month_not_closed'
    when not facts.is_closed and facts.is_disputable then 'within_dispute_period'
end"""
"""Why the landed rows of a message must stay; null: nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class LandedRows:
    """Every row of the landed files of messages; immutable, as they are."""

    table: pa.Table

    @classmethod
    def of(cls, landing_dir: Path) -> "LandedRows":
        """Read them. A file that cannot be read proves nothing, and is left out."""
        tables = []
        for path in sorted((landing_dir / SMS.name).glob("*.parquet")):
            try:
                read = pq.read_table(path, columns=_LANDED_COLUMNS)
            except (OSError, pa.ArrowException, KeyError):
                continue
            tables.append(
                pa.table(
                    {
                        "file": pa.repeat(path.name, len(read)),
                        "uuid": read["uuid"],
                        "seen_at": read["seen_at"],
                        "is_good": pc.and_(pc.is_null(read["bad_reason"]), pc.invert(read["is_gone"])),
                    },
                    _LANDED_SCHEMA,
                )
            )
        return cls(pa.concat_tables(tables) if tables else _LANDED_SCHEMA.empty_table())

    def of_messages(self, uuids: Sequence[str]) -> "LandedRows":
        """Return those of some messages."""
        return LandedRows(self.table.filter(pc.is_in(self.table["uuid"], pa.array(uuids, pa.string()))))

    def of_files(self, names: Sequence[str]) -> "LandedRows":
        """Return those in some files."""
        return LandedRows(self.table.filter(pc.is_in(self.table["file"], pa.array(names, pa.string()))))


def show_facts(
    transaction: Transaction,
    settings: Settings,
    landed: LandedRows,
    *,
    asked: str,
    parameters: object = None,
    now: datetime,
    dispute_days: int,
) -> None:
    """Make the temporary table `retention_facts`; see `sql/facts.sql`.

    Args:
        transaction: To read in.
        settings: Time zone, and after how long a message ages out.
        landed: The landed rows.
        asked: A query for the uuids of the messages.
        parameters: Of that query.
        now: The present moment.
        dispute_days: How long an open month's messages stay.

    Raises:
        NoWarehouse: The models were never built, which say what a status means.
        DataDirError: The file beside the warehouse that keeps the holds cannot be read or written.
    """
    reconcile(transaction, HOLDS)
    native = transaction.native
    native.register("retention_landed_rows", landed.table)
    try:
        transaction.run(
            "create or replace temp table retention_landed as "
            "select file, try_cast(uuid as uuid) as uuid, seen_at, is_good from retention_landed_rows"
        )
    finally:
        native.unregister("retention_landed_rows")
    transaction.run(f"create or replace temp table retention_asked as {asked}", parameters)
    show_senders(transaction, settings, _SENDERS_OF_ASKED)
    at = as_utc(now)
    disputed_since = at - timedelta(days=dispute_days)
    transaction.run(f"set variable retention_now = timestamp '{at.isoformat()}'")
    transaction.run(f"set variable retention_disputed_since = timestamp '{disputed_since.isoformat()}'")
    transaction.run(f"set variable retention_settle_days = {settings.settle_days}")
    transaction.run(f"set variable retention_timezone = '{settings.timezone}'")
    try:
        transaction.run(f"create or replace temp table {FACTS} as {sql_of('facts')}")
    except duckdb.CatalogException as exc:
        raise NoWarehouse(
            "The models were never built, and what a status means is not known without them.",
            hint="Run `sms-etl build`.",
        ) from exc


def against(facts_uuids: Iterable[str], transaction: Transaction, case: str) -> dict[str, Reason]:
    """Return why some of the messages that the facts are of must stay, by uuid; the others may go.

    Args:
        facts_uuids: All that were asked for; one of which there are no facts is not stored.
        transaction: In which the facts were shown.
        case: `AGAINST_DELETING` or another, its `{require_closed}` filled in.
    """
    rows = transaction.native.execute(
        f"select cast(facts.uuid as varchar), {case} as reason, facts.is_gone from {FACTS} as facts"
    ).fetchall()
    found = {uuid: (reason, is_gone) for uuid, reason, is_gone in rows}
    said: dict[str, Reason] = {}
    for uuid in facts_uuids:
        reason, is_gone = found.get(uuid, (Reason.NOT_STORED, False))
        if is_gone:
            said[uuid] = Reason.GONE_ALREADY
        elif reason is not None:
            said[uuid] = Reason(reason)
    return said


def state_of(alias: str, columns: Sequence[str]) -> str:
    """Return the SQL of a message's state: SHA-256, 64 hex digits, of all that the provider says of it.

    Each column as text in a JSON list, so that no two states give the same text.
    """
    values = ", ".join(f"cast({alias}.{name} as varchar)" for name in columns)
    return f"sha256(cast(to_json([{values}]) as varchar))"


STATE_COLUMNS = (*(column.name for column in SMS.provider_columns), "currency")
STORED_STATE = state_of("stored", STATE_COLUMNS)
"""The state of a row of raw.sms under the alias `stored`."""


def states_as_read(transaction: Transaction, rows: pa.Table, currency: str) -> dict[str, tuple[str, str]]:
    """Return, by uuid, the state of messages as they are stored, and as the provider has them now.

    What the provider deletes the text of keeps the features of the text, as in a merge.

    Args:
        transaction: To read in.
        rows: What the provider answered, as it would be landed.
        currency: Of the account.
    """
    native = transaction.native
    names = [column.name for column in SMS.provider_columns]
    casts = ", ".join(
        f"cast(read.{column.name} as {column.type.compile(transaction.sql.dialect)}) as {column.name}"
        for column in SMS.provider_columns
    )
    native.register("retention_read_rows", rows)
    try:
        found = native.execute(
            f"""
            with batch as (select {casts} from retention_read_rows as read),
            now_there as (
                select {kept_columns(names)}, $currency as currency
                from batch inner join raw.sms as stored on batch.uuid = stored.uuid
            )
            select cast(stored.uuid as varchar), {STORED_STATE}, {state_of("now_there", STATE_COLUMNS)}
            from now_there inner join raw.sms as stored on now_there.uuid = stored.uuid
            """,
            {"currency": currency},
        ).fetchall()
    finally:
        native.unregister("retention_read_rows")
    return {uuid: (stored, there) for uuid, stored, there in found}


def sql_of(name: str) -> str:
    """Return the text of `sql/<name>.sql`."""
    return files("sms_etl.retention").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
