"""Whether a sandbox serves the account: told by a header, believed of this machine alone, and kept."""

import json

import duckdb
import pytest

from sms_etl.errors import WrongAccount
from sms_etl.providers.lox24.client import SANDBOX_HEADER
from sms_etl.sync.engine import run_sync
from sms_etl.web.loopback import is_loopback
from sms_etl_tests.faults.conftest import RehearsalOf
from sms_etl_tests.faults.proxy import Exchange, Fault, Plan
from sms_etl_tests.faults.rehearsal import Rehearsal
from sms_etl_tests.provider_truth import ask, warehouse_of


def me(*, is_sandbox: bool, account: int = 4711) -> Plan:
    """Answer `/me` as a sandbox does, or as the provider itself would."""
    body = json.dumps({"id": account, "currency": "EUR", "is_sandbox": not is_sandbox}).encode()

    async def act(exchange: Exchange) -> bool:
        return await exchange.send(200, body, {SANDBOX_HEADER: "1"} if is_sandbox else {})

    return lambda asked: Fault("another account", act) if asked.path == "/me" else None


@pytest.fixture
def rehearsal(rehearsal_of: RehearsalOf) -> Rehearsal:
    return rehearsal_of("sandbox or account", messages=10, page_size=30)


def sync(rehearsal: Rehearsal, plan: Plan) -> None:
    rehearsal.proxy.begin(plan)
    run_sync(rehearsal.settings())


def kept(rehearsal: Rehearsal) -> object:
    [(is_sandbox,)] = ask(rehearsal.settings(), "select is_sandbox from ops.account")
    return is_sandbox


@pytest.mark.parametrize("is_sandbox", [True, False])
def test_the_warehouse_says_whether_a_sandbox_serves_its_account(
    is_sandbox: bool, rehearsal: Rehearsal
) -> None:
    sync(rehearsal, me(is_sandbox=is_sandbox))
    assert kept(rehearsal) is is_sandbox
    sync(rehearsal, me(is_sandbox=is_sandbox))
    assert kept(rehearsal) is is_sandbox


@pytest.mark.parametrize("account", [4711, 1], ids=["of the same number", "of another number"])
@pytest.mark.parametrize(
    ("held", "hint"), [(True, "made by a demo"), (False, "Give the sandbox a directory of its own")]
)
def test_a_sandbox_and_an_account_never_share_a_warehouse(
    held: bool, hint: str, account: int, rehearsal: Rehearsal
) -> None:
    sync(rehearsal, me(is_sandbox=held))
    with pytest.raises(WrongAccount, match=f"account {account} of") as caught:
        sync(rehearsal, me(is_sandbox=not held, account=account))
    assert hint in caught.value.hint
    assert "the sandbox's account 4711" in caught.value.message or not held
    assert kept(rehearsal) is held
    sync(rehearsal, me(is_sandbox=held))


def test_two_accounts_are_told_to_part_as_before(rehearsal: Rehearsal) -> None:
    sync(rehearsal, me(is_sandbox=False))
    with pytest.raises(WrongAccount) as caught:
        sync(rehearsal, me(is_sandbox=False, account=1))
    assert caught.value.hint == "Give each account its own SMS_ETL_DATA_DIR."


def test_a_warehouse_that_does_not_say_is_told_by_its_address(rehearsal: Rehearsal) -> None:
    sync(rehearsal, me(is_sandbox=True))
    with duckdb.connect(str(warehouse_of(rehearsal.settings()))) as connection:
        connection.execute("update ops.account set is_sandbox = null")
    sync(rehearsal, me(is_sandbox=True))
    assert kept(rehearsal) is True
    with duckdb.connect(str(warehouse_of(rehearsal.settings()))) as connection:
        connection.execute("update ops.account set is_sandbox = null, base_url = 'https://api.lox24.eu'")
    with pytest.raises(WrongAccount):
        sync(rehearsal, me(is_sandbox=True))
    assert kept(rehearsal) is None
    sync(rehearsal, me(is_sandbox=False))
    assert kept(rehearsal) is False


@pytest.mark.parametrize(
    ("url", "is_of_this_machine"),
    [
        ("http://127.0.0.1:8024", True),
        ("http://127.8.0.1", True),
        ("http://[::1]:8024", True),
        ("http://localhost:8024", True),
        ("https://api.lox24.eu", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
    ],
)
def test_only_this_machine_can_be_a_sandbox(url: str, is_of_this_machine: bool) -> None:
    assert is_loopback(url) is is_of_this_machine
