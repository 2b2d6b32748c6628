"""What a run counts has one definition: the table, `--json`, `status` and Dagster show all of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.sync.engine import run_sync
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.plan import Purpose
from sms_etl.sync.state import record_end, record_start
from sms_etl.sync.task import SyncResult, Task
from sms_etl.warehouse import tables
from sms_etl.warehouse.store import Transaction, Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask
from sms_etl_tests.warehouse.conftest import CLOCK

OF_THE_RUN_ITSELF = {"started_at", "finished_at", "error", "version"}


@contextmanager
def transaction_at(folder: Path) -> Iterator[Transaction]:
    with Warehouse(f"duckdb:///{folder}/warehouse.duckdb", CLOCK).begin() as transaction:
        yield transaction


def test_the_table_of_runs_has_a_column_for_each_count_and_no_other() -> None:
    columns = {column.name for column in tables.sync_run.columns}
    assert {field.name for field in fields(SyncResult)} == columns - OF_THE_RUN_ITSELF


def test_a_count_without_a_column_is_an_error_and_never_dropped(tmp_path: Path) -> None:
    run_id = "00000000-0000-4000-8000-000000000001"
    with transaction_at(tmp_path) as transaction:
        record_start(transaction, UUID(run_id), Purpose.FORWARD, CLOCK())
        with pytest.raises(KeyError, match="rows_lost"):
            record_end(transaction, {"run_id": run_id, "rows_lost": 1}, error=None, finished_at=CLOCK())


def test_every_count_of_a_load_is_added_up() -> None:
    numbers = [field.name for field in fields(LoadCounts) if field.name != "unknown_fields"]
    one = LoadCounts(**dict.fromkeys(numbers, 1), unknown_fields=("a",))
    both = one + one
    assert both.unknown_fields == ("a", "a")
    assert {getattr(both, name) for name in numbers} == {2}


def test_what_a_reconciliation_found_is_in_the_table_and_in_status(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider)
    run_sync(settings)
    late = to_unix(provider.now()) - 3 * 86400
    provider.insert({"created_at": late, "extra": {"mcc": 262}})
    result = run_sync(settings, Task(reconcile_days=10))
    expected = (1, 0, ("mcc",), None)
    assert (result.differences, result.bulks_differing, result.unknown_fields, result.bulks_error) == expected
    stored = ask(
        settings,
        "select differences, bulks_differing, unknown_fields, bulks_error, rows_pruned, prices_rounded "
        "from ops.sync_run order by rowid desc limit 1",
    )
    assert stored == [(1, 0, '["mcc"]', None, 0, 0)]
    last_run = read_status(settings).as_json()["last_run"]
    assert last_run is not None
    shown = {name: last_run[name] for name in result.as_json() if name in last_run}
    assert shown == {**result.as_json(), "unknown_fields": ["mcc"]}


def test_prices_that_were_rounded_are_summed_over_the_landed_files(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    now = to_unix(provider.now())
    noisy = {"extra": {"price": 0.30000000000000004}}
    provider.insert(*(noisy | {"created_at": now - number * 86400} for number in range(5)))
    settings = settings_at(provider)
    result = run_sync(settings)
    assert result.prices_rounded == 5
    assert ask(settings, "select prices_rounded from ops.sync_run") == [(5,)]


def test_a_sync_with_nothing_new_asks_four_times(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    provider.advance(timedelta(days=30))
    settings = settings_at(provider)
    run_sync(settings)
    provider.forget_requests()
    assert run_sync(settings).requests == 4
    asked = [(one["path"], one["query"].partition("%5B")[0]) for one in provider.requests()]
    assert asked == [
        ("/me", ""),
        ("/sms", "created_at"),
        ("/bulks", "created_at"),
        ("/bulks", "processed_at"),
    ]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(None, ["created_at"], id="all of it is read"),
        # A bulk made before it may be processed after it, and its messages are read.
        pytest.param(timedelta(days=60), ["created_at", "processed_at"], id="read from a later start"),
    ],
)
def test_an_account_without_bulks_is_not_asked_which_of_them_were_processed(
    start: timedelta | None, expected: list[str], settings_at: SettingsAt
) -> None:
    with running_sandbox(account=AccountParameters(messages=0)) as provider:
        assert provider.truth_bulks() == []
        first = None if start is None else provider.now() - start
        run_sync(settings_at(provider).model_copy(update={"start": first}))
        of_bulks = [one["query"] for one in provider.requests() if one["path"] == "/bulks"]
    listed = [query.partition("%5B")[0] for query in of_bulks if "gte" in query]
    assert sorted(set(listed)) == expected


def test_the_result_names_the_purpose_of_the_run(provider: SandboxHandle, settings_at: SettingsAt) -> None:
    told = run_sync(settings_at(provider)).as_json()["purpose"]
    assert (told, type(told)) == ("forward", str)
    assert Task(is_replaying_quarantine=True).purpose is Purpose.REPLAY
