"""A warehouse in a folder of its own, and other programs that open its file."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.store import Transaction, Warehouse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORED_NOW = NOW.replace(tzinfo=None)
CLOCK = fixed_clock(NOW)

_HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
print("open", flush=True)
sys.stdin.readline()
"""
_ASK = """
import duckdb, sys
print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchone()[0])
"""
_TRY_TO_WRITE = """
import duckdb, sys
try:
    duckdb.connect(sys.argv[1]).close()
except duckdb.IOException as exc:
    sys.exit(3 if "Could not set lock" in str(exc) else 4)
"""

Hold = Callable[..., AbstractContextManager[subprocess.Popen[str]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Publish everything: what these tests look at are the provider's rows, without any model."""
    return load_settings(data_dir=tmp_path / "data", now=NOW, publish="all")


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    """Return a warehouse whose file is not there yet, and which waits for nobody."""
    return Warehouse(settings.warehouse_url, CLOCK, patience=timedelta(0))


@pytest.fixture
def hold() -> Hold:
    """Let another program hold a file open, until the block ends or its input is closed."""

    @contextmanager
    def held(path: Path, how: str = "writing") -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-c", _HOLD, str(path), how]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "open\n"
            yield program
            let_go(program)

    return held


def let_go(program: subprocess.Popen[str]) -> None:
    """End a program that holds a file, and wait until it is gone."""
    program.communicate("\n" if program.returncode is None else None, timeout=20)


def asked_elsewhere(path: Path, sql: str) -> str:
    """Ask in another program, which opens the file anew."""
    command = [sys.executable, "-c", _ASK, str(path), sql]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def is_locked_for_others(path: Path) -> bool:
    """Whether another program that wants to write is kept out."""
    tried = subprocess.run([sys.executable, "-c", _TRY_TO_WRITE, str(path)], check=False, timeout=20)
    assert tried.returncode in {0, 3}
    return tried.returncode == 3


def add_message(transaction: Transaction, number: int, price: str = "0.056") -> UUID:
    """Put a message into raw.sms, by what must not be null."""
    uuid = UUID(int=number)
    transaction.native.execute(
        "insert into raw.sms (uuid, created_at, price, currency, first_seen_at, last_seen_at, changed_at) "
        "values (?, ?, ?::decimal(18, 6), 'EUR', ?, ?, ?)",
        [uuid, *[STORED_NOW], price, *[STORED_NOW] * 3],
    )
    return uuid


def note_build(transaction: Transaction, **failures: int) -> None:
    """Leave what a build leaves for publishing: its context, and how its tests went."""
    transaction.native.execute("delete from ops.build_context")
    transaction.native.execute("delete from ops.model_test")
    transaction.native.execute(
        "insert into ops.build_context (as_of_at, timezone, settle_days, built_at) "
        "values (?, 'Europe/Berlin', 5, ?)",
        [STORED_NOW, STORED_NOW],
    )
    for test, rows in {"grain_unique": 0, **failures}.items():
        transaction.native.execute(
            "insert into ops.model_test values (?, 'marts.fct_sms', ?, 'error', ?)", [STORED_NOW, test, rows]
        )


def count_of(transaction: Transaction, table: str = "raw.sms") -> int:
    row = transaction.native.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])
