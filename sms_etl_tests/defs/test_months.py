"""The assets by month: the report, whether the month can be closed, and months that are read again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from sms_etl.definitions import defs
from sms_etl.defs.months import CLOSING_CHECK, READ_AGAIN
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl_tests.defs.instance import SMALL, environment, packaged_instance
from sms_etl_tests.defs.runs import failure_of

JANUARY = "2026-01-01"


@pytest.fixture
def provider_again() -> Iterator[SandboxHandle]:
    """The same account once more, so that what is asked here is not counted elsewhere."""
    with running_sandbox(account=SMALL) as handle:
        yield handle


def run_month(job: str, home: Path, month: str = JANUARY, **tags: str) -> dg.ExecuteInProcessResult:
    with packaged_instance(home) as instance:
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key=month, raise_on_error=False, tags=tags
        )


def check_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [one for one in result.get_asset_check_evaluations() if one.check_name == CLOSING_CHECK]
    return found


def test_the_report_of_a_month_is_written_and_says_why_the_month_cannot_be_closed(
    loaded_again: Path, tmp_path: Path
) -> None:
    result = run_month("month_end", tmp_path / "home")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    told = event.step_materialization_data.materialization.metadata
    files: Any = told["files"].value
    assert str(told["by day"].value).startswith("Messages by day: `")
    assert event.partition == JANUARY
    assert [Path(file).name for file in files] == [
        "sms-report-2026-01.html",
        "sms-report-2026-01.xlsx",
    ]
    assert all(Path(file).is_file() for file in files)
    check = check_of(result)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "is not over" in str(check.metadata["why"].value)


def test_to_look_whether_a_month_can_be_closed_closes_nothing(loaded_again: Path, tmp_path: Path) -> None:
    run_month("month_end", tmp_path / "home")
    with duckdb.connect(str(loaded_again / "warehouse.duckdb"), read_only=True) as warehouse:
        assert warehouse.execute("select count(*) from finance.closed_period").fetchall() == [(0,)]


def test_a_month_without_messages_is_no_failure(loaded_again: Path, tmp_path: Path) -> None:
    result = run_month("month_end", tmp_path / "home", "2025-03-01")
    assert result.success
    assert result.get_asset_materialization_events() == []
    assert check_of(result).passed


def test_a_month_is_read_again_once_a_backfill_and_again_by_the_next(
    provider_again: SandboxHandle, loaded_again: Path, tmp_path: Path
) -> None:
    provider = provider_again
    account = {
        "LOX24_TOKEN": provider.token,
        "LOX24_BASE_URL": provider.url,
        "NOW": provider.now().isoformat(),
    }

    def rows_seen(backfill: str) -> list[object]:
        tags = {"dagster/backfill": backfill}
        result = run_month("rebuild", tmp_path / "home", **tags)
        assert result.success, failure_of(result)
        return [
            event.step_materialization_data.materialization.metadata["rows_seen"].value
            for event in result.get_asset_materialization_events()
            if "rows_seen" in event.step_materialization_data.materialization.metadata
        ]

    with environment(tmp_path, DATA_DIR=str(loaded_again), **account):
        first = rows_seen("one")
        assert (len(first), rows_seen("one"), rows_seen("two")) == (1, [], first)
    with duckdb.connect(str(loaded_again / "warehouse.duckdb"), read_only=True) as warehouse:
        ((messages,),) = warehouse.execute("select count(*) from raw.sms").fetchall()
    assert messages == provider.truth()["messages"]


def test_a_backfill_of_many_months_is_one_run() -> None:
    asset = defs.resolve_asset_graph().get(READ_AGAIN)
    assert asset.backfill_policy == dg.BackfillPolicy.single_run()
