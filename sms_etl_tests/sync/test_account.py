"""Two accounts are told apart, and a sandbox's from a real one, whatever their numbers."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sms_etl.clock import fixed_clock
from sms_etl.errors import WrongAccount
from sms_etl.sync.account import BoundAccount, bound_account, check_account, write_account
from sms_etl.warehouse.store import Warehouse

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
HERE = Path("warehouse.duckdb")
REAL = BoundAccount("4711", "EUR", "https://api.lox24.eu", is_sandbox=False)
SANDBOX = BoundAccount("4711", "EUR", "http://127.0.0.1:8024", is_sandbox=True)
OLD_REAL = replace(REAL, is_sandbox=None)
OLD_SANDBOX = replace(SANDBOX, is_sandbox=None)


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        (None, REAL),
        (REAL, REAL),
        (SANDBOX, SANDBOX),
        (OLD_REAL, REAL),
        (OLD_SANDBOX, SANDBOX),
        (SANDBOX, replace(SANDBOX, base_url="http://127.0.0.1:9999")),
    ],
)
def test_an_account_is_the_warehouses_if_its_number_and_its_kind_are(
    held: BoundAccount | None, asked: BoundAccount
) -> None:
    check_account(held, asked, HERE)


@pytest.mark.parametrize(
    ("held", "asked", "hint"),
    [
        (REAL, replace(REAL, account_id="4712"), "Give each account its own"),
        (SANDBOX, replace(SANDBOX, account_id="4712"), "Give each account its own"),
        (SANDBOX, REAL, "made by a demo"),
        (REAL, SANDBOX, "Give the sandbox a directory"),
        (OLD_REAL, SANDBOX, "Give the sandbox a directory"),
    ],
)
def test_another_account_is_refused_with_what_to_do_about_it(
    held: BoundAccount, asked: BoundAccount, hint: str
) -> None:
    with pytest.raises(WrongAccount) as refused:
        check_account(held, asked, HERE)
    assert hint in refused.value.hint


def test_a_message_says_of_which_kind_an_account_is() -> None:
    assert REAL.description == "account 4711 of https://api.lox24.eu"
    assert SANDBOX.description == "the sandbox's account 4711 of http://127.0.0.1:8024"


def test_the_first_account_is_written_and_stays(tmp_path: Path) -> None:
    with Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW)).begin() as transaction:
        assert bound_account(transaction) is None
        write_account(transaction, REAL, NOW)
        write_account(transaction, replace(REAL, account_id="4712"), NOW)
        assert bound_account(transaction) == REAL


@pytest.mark.parametrize(("held", "asked"), [(OLD_REAL, REAL), (OLD_SANDBOX, SANDBOX)])
def test_what_an_older_version_did_not_record_is_added(
    tmp_path: Path, held: BoundAccount, asked: BoundAccount
) -> None:
    with Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW)).begin() as transaction:
        write_account(transaction, held, NOW)
        write_account(transaction, asked, NOW)
        assert bound_account(transaction) == asked
