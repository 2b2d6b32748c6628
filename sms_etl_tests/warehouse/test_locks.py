"""Holds what happens while another program has the warehouse open: real programs, real locks."""

import subprocess
import sys
from datetime import timedelta

import pytest

from sms_etl.errors import WarehouseLocked
from sms_etl.settings import Settings
from sms_etl.warehouse.file import lock_holder
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import newest, query
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.warehouse.conftest import (
    CLOCK,
    Hold,
    add_message,
    count_of,
    is_locked_for_others,
    let_go,
    note_build,
)


@pytest.fixture(autouse=True)
def made(warehouse: Warehouse) -> None:
    with warehouse.begin() as transaction:
        add_message(transaction, 1)
        note_build(transaction)


@pytest.mark.parametrize("how", ["writing", "reading"])
def test_a_warehouse_that_another_program_has_open_is_refused_by_its_name_and_number(
    warehouse: Warehouse, hold: Hold, how: str
) -> None:
    with hold(warehouse.path, how) as program:
        with pytest.raises(WarehouseLocked) as caught, warehouse.begin():
            pytest.fail("the transaction must not begin")
        assert f"(PID {program.pid})" in caught.value.message
        assert "python" in caught.value.message
        assert str(warehouse.path) in caught.value.message
        assert "published copy" in caught.value.hint


def test_the_file_as_a_whole_is_refused_likewise(warehouse: Warehouse, hold: Hold) -> None:
    with (
        hold(warehouse.path) as program,
        pytest.raises(WarehouseLocked, match=f"PID {program.pid}"),
        warehouse.exclusive(),
    ):
        pytest.fail("it must not be opened")


def test_once_the_other_program_lets_go_the_warehouse_opens(settings: Settings, hold: Hold) -> None:
    with hold(settings.data_dir / "warehouse.duckdb") as program:
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                let_go(program)

        patient = Warehouse(settings.warehouse_url, CLOCK, patience=timedelta(seconds=10), sleep=nap)
        with patient.begin() as transaction:
            assert count_of(transaction) == 1
    assert len(naps) == 3


def test_it_is_waited_for_only_so_long(settings: Settings, hold: Hold) -> None:
    naps: list[float] = []
    patient = Warehouse(
        settings.warehouse_url,
        CLOCK,
        patience=timedelta(seconds=0.5),
        sleep=naps.append,
    )
    with hold(patient.path), pytest.raises(WarehouseLocked), patient.begin():
        pytest.fail("the transaction must not begin")
    assert sum(naps) == pytest.approx(0.5)


def test_others_are_kept_out_during_a_transaction_and_let_in_after_it(warehouse: Warehouse) -> None:
    with warehouse.begin():
        assert is_locked_for_others(warehouse.path)
    assert not is_locked_for_others(warehouse.path)


def test_the_newest_state_is_read_from_the_warehouse_while_nobody_writes(settings: Settings) -> None:
    with newest(settings) as connection:
        assert connection.execute("select count(*) from raw.sms").fetchall() == [(1,)]


def test_and_from_the_published_copy_while_somebody_does(
    settings: Settings, warehouse: Warehouse, hold: Hold
) -> None:
    publish(settings)
    with warehouse.begin() as transaction:
        add_message(transaction, 2)
    with hold(warehouse.path), newest(settings) as connection:
        assert connection.execute("select count(*) from raw.sms").fetchall() == [(1,)]


def test_analysts_read_while_the_warehouse_is_written(settings: Settings, warehouse: Warehouse) -> None:
    publish(settings)
    with warehouse.begin() as transaction:
        add_message(transaction, 2)
        assert query("select count(*) as n from raw.sms", settings).rows == [(1,)]


SAID = "IO Error: Could not set lock on file: Conflicting lock is held in {} (PID {}). See also https://x"


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (SAID.format("/usr/bin/python3", 2**22 + 1), f"python3 (PID {2**22 + 1})"),
        (SAID.format("/Applications/DB Browser", 17), "DB Browser (PID 17)"),
        (SAID.format("python3", "unknown"), "python3"),
        (SAID.format("/opt/\x1b[31m", 17), "\\x1b[31m (PID 17)"),
        ("Could not set lock", "which one is not known"),
    ],
)
def test_a_lock_holder_is_named_by_program_and_number(said: str, named: str) -> None:
    assert lock_holder(said) == named


def test_the_command_line_of_the_other_program_is_never_quoted(warehouse: Warehouse) -> None:
    """A query in it may hold a number."""
    held = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", held, str(warehouse.path), "where phone='+4917612345678'"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        program.stdout.readline()
        refused = pytest.raises(WarehouseLocked, match=rf"(?m)python\S* \(PID {program.pid}\)\.$")
        with refused as caught, warehouse.begin():
            pytest.fail("the transaction must not begin")
        program.communicate("\n", timeout=20)
    assert "4917612345678" not in str(caught.value)
