"""A state file carries a sandbox over a restart, and nothing else is taken for one."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from sms_etl.errors import SettingsError
from sms_etl.sandbox.control.clock import SandboxClock
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.sandbox.storage.state import open_state

ACCOUNT = AccountParameters(messages=300, days=30)


def test_a_restart_goes_on_where_it_was(
    tmp_path: Path, client_of: Callable[[SandboxHandle], httpx.Client]
) -> None:
    state = tmp_path / "deep" / "state.sqlite"
    with running_sandbox(account=ACCOUNT, state=state) as first:
        client = client_of(first)
        first.advance(timedelta(days=1))
        client.post("/sms/ops/batch_delete?iso2=US")
        client.post("/sms/ops/batch_cancel?is_sent=false")
        client.delete(f"/bulks/{first.truth_bulks()[0]['uuid']}")
        body = {"sender_id": "Shop", "text": "Hello", "phones": ["+14155550100"] * 5}
        client.post("/bulks", json=body)
        balance = client.get("/me").json()
        before = (first.now(), first.truth(), first.truth_sms(), first.truth_bulks())
    with running_sandbox(account=AccountParameters(messages=5), state=state) as second:
        assert (second.now(), second.truth(), second.truth_sms(), second.truth_bulks()) == before
        assert client_of(second).get("/me").json() == balance
        second.advance(timedelta(minutes=1))
        assert len(second.truth_sms()) > len(before[2])


def test_what_a_killed_start_left_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    open_state(path, account=ACCOUNT).close()
    with sqlite3.connect(path) as half:
        half.execute("delete from setting")
    half.close()
    state = open_state(path, account=AccountParameters(messages=3, days_after=0))
    assert len(state.store.all_messages()) == 3
    state.close()


def test_a_state_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    first = open_state(path, account=AccountParameters(messages=1))
    with pytest.raises(SettingsError, match="locked"):
        open_state(path)
    first.close()


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("not a database at all, but long enough to be looked at" * 20)
    with sqlite3.connect(other) as database:
        database.execute("create table t (a int)")
    database.close()
    for path in (text, other, tmp_path):
        with pytest.raises(SettingsError):
            open_state(path)
    assert "notes" not in text.read_text()


def test_a_live_clock_runs_and_can_still_be_moved() -> None:
    real = [100.0]
    clock = SandboxClock(1000, live=True, monotonic=lambda: real[0])
    real[0] += 5.7
    assert clock.now() == 1005
    clock.move_to(2000)
    real[0] += 1
    assert clock.now() == 2001


def test_the_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        SandboxClock(1000).move_to(999)
