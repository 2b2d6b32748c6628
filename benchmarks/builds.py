"""A build after 5,000 changes beside a full one, on the same warehouse, in turn: the goal is a twentieth.

Then the twenty questions of questions.sql, five times each: the goal is 100 ms for 95 of 100.

python -m benchmarks.builds [messages] [folder]

The warehouse is filled by SQL, bulks included. Each build is a process of its own, `sms-etl build`, without
publishing. Half of the changes are messages whose report came, spread over the last five days; half are new.
"""

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.fill import fill
from benchmarks.processes import Measured, measure
from benchmarks.traffic import EPOCH, MESSAGES_A_DAY
from sms_etl.settings import load_settings
from sms_etl.warehouse.store import Warehouse

CHANGES = 5000
TURNS = 3
ASKED = 5
_QUESTIONS = Path(__file__).with_name("questions.sql")
_BULKS = """
insert into raw.bulk by name
select
    bulk_id as uuid, min(created_at) as created_at, 10 as status_code, count(*) as msg_total_count,
    sum(price) as msg_total_cost, any_value(currency) as currency, any_value(service_code) as service_code,
    any_value(key_id) as key_id, false as is_dryrun, min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at, max(changed_at) as changed_at
from raw.sms where bulk_id is not null group by bulk_id
"""
_CHANGED = """
create or replace temp table changed as
select * replace (
    case dlr_code when 1 then 8 else 1 end as dlr_code, changed_at + interval 1 minute as changed_at
)
from (from raw.sms where created_at >= cast($now as timestamp) - interval 5 day) as recent
using sample reservoir(2500 rows) repeatable (7)
"""
_NEW = """
insert into changed
select * replace (uuid() as uuid, created_at + interval 1 second as created_at, null as bulk_id)
from (from raw.sms where created_at >= cast($now as timestamp) - interval 5 day) as recent
using sample reservoir(2500 rows) repeatable (8)
"""
_LOGGED = """
insert into raw.sms_change by name
select
    uuid, changed_at as observed_at, 'poll' as observed_by, status_code, dlr_code, is_sent, gateway_sent_at,
    price, currency, is_text_deleted
from changed
"""


@dataclass(frozen=True)
class Built:
    """Medians of builds in seconds, the highest memory in MB, and how long questions took in milliseconds."""

    messages: int
    full_seconds: float
    full_cpu_seconds: float
    full_peak_mb: float
    seconds: float
    """After 5,000 changes,"""
    cpu_seconds: float
    peak_mb: float
    questions_p50_ms: float
    questions_p95_ms: float

    @property
    def times(self) -> float:
        """How many times as long a full build takes, by the clock."""
        return self.full_seconds / self.seconds


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{messages:,} messages; load {os.getloadavg()[0]:.1f} before", flush=True)
    found = builds(messages, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    for name, seconds, cpu, peak in (
        ("full", found.full_seconds, found.full_cpu_seconds, found.full_peak_mb),
        ("5,000 changes", found.seconds, found.cpu_seconds, found.peak_mb),
    ):
        print(f"{name:14} {seconds:8.2f} s, CPU {cpu:8.2f} s, peak {peak:6.0f} MB")
    of_processor = found.full_cpu_seconds / found.cpu_seconds
    print(f"ratio: {found.times:.1f} by the clock, {of_processor:.1f} of the processor")
    print(f"questions      p50 {found.questions_p50_ms:.0f} ms, p95 {found.questions_p95_ms:.0f} ms")
    print(f"load {os.getloadavg()[0]:.1f} after")


def builds(messages: int, folder: Path | None = None) -> Built:
    """Fill a warehouse in a folder, build it in turn, and ask."""
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        data_dir = Path(directory)
        now = datetime.fromtimestamp(EPOCH, UTC) + timedelta(days=messages / MESSAGES_A_DAY)
        prepare(data_dir, messages, now)
        full, parts = [built(data_dir, now)], []
        for _ in range(TURNS):
            change(data_dir, now)
            parts.append(built(data_dir, now))
        full.append(built(data_dir, now, "--full"))
        asked = ask(data_dir, now)
    return Built(
        messages,
        *median(full),
        *median(parts),
        questions_p50_ms=asked[len(asked) // 2],
        questions_p95_ms=asked[len(asked) * 95 // 100],
    )


def prepare(data_dir: Path, messages: int, now: datetime) -> None:
    """Fill a warehouse: messages, their first sighting, their bulks."""
    warehouse = Warehouse.of(load_settings(data_dir=data_dir, now=now))
    with warehouse.begin():
        pass
    fill(warehouse.path, count=messages, until=int(now.timestamp()))
    with warehouse.begin() as transaction:
        transaction.run(_BULKS)


def change(data_dir: Path, now: datetime) -> None:
    """Change as much as a busy hour does, as a load leaves it."""
    with Warehouse.of(load_settings(data_dir=data_dir, now=now)).begin() as transaction:
        moment = {"now": now.replace(tzinfo=None)}
        transaction.run(_CHANGED, moment)
        transaction.run("delete from raw.sms where uuid in (select changed.uuid from changed)")
        transaction.run(_NEW, moment)
        transaction.run("insert into raw.sms select * from changed")
        transaction.run(_LOGGED)


def built(data_dir: Path, now: datetime, *words: str) -> Measured:
    command = [sys.executable, "-m", "sms_etl", "build", "--json", *words]
    return measure(command, {"SMS_ETL_DATA_DIR": str(data_dir), "SMS_ETL_NOW": now.isoformat()})


def ask(data_dir: Path, now: datetime) -> list[float]:
    """Return how long each answer took, in milliseconds, ascending."""
    warehouse = Warehouse.of(load_settings(data_dir=data_dir, now=now))
    questions = [each for each in _QUESTIONS.read_text().split(";") if each.strip()]
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        connection.execute("set variable today = (select max(business_day) from marts.delivery_daily)")
        return sorted(answered(connection, each) for _ in range(ASKED) for each in questions)


def answered(connection: duckdb.DuckDBPyConnection, question: str) -> float:
    started = time.perf_counter()
    connection.execute(question).fetchall()
    return (time.perf_counter() - started) * 1000


def median(measured: list[Measured]) -> tuple[float, float, float]:
    """Return the medians of clock and processor, and the highest memory."""
    return (
        statistics.median(each.seconds for each in measured),
        statistics.median(each.cpu_seconds for each in measured),
        max(each.peak_mb for each in measured),
    )


if __name__ == "__main__":
    main()
