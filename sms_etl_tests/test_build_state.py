"""Holds that a sync builds when a build would make anything else, and not when it would make the same."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from sms_etl.build import build_and_check
from sms_etl.build_state import is_up_to_date
from sms_etl.cli.demo import with_sandbox
from sms_etl.models import files
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.task import Task
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt, usual_provider

FROM = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was synced, built and published, with nothing open that is due soon."""
    with usual_provider() as provider:
        settings = load_settings(
            data_dir=tmp_path_factory.mktemp("built") / "data", now=provider.now(), settle_days=60
        )
        assert sync_build_publish(with_sandbox(settings, provider)).build
    return settings.data_dir


@pytest.fixture
def settings(built: Path, provider: SandboxHandle, settings_at: SettingsAt, tmp_path: Path) -> Settings:
    """Settings of a copy of it, as whose account it is."""
    shutil.copytree(built, tmp_path / "data")
    return settings_at(provider, settle_days=60)


def later(settings: Settings, **units: float) -> Settings:
    return settings.model_copy(update={"now": settings.clock() + timedelta(**units)})


def test_a_sync_with_nothing_new_builds_nothing_and_publishes_nothing(settings: Settings) -> None:
    copy = settings.published_path.read_bytes()
    result = sync_build_publish(settings)
    assert (result.build, result.is_up_to_date) == (None, True)
    assert result.published is not None
    assert result.published.path == settings.published_path
    assert not result.needs_attention
    assert settings.published_path.read_bytes() == copy


def test_new_rows_make_the_build_stale_even_if_the_run_that_loaded_them_did_not_build(
    settings: Settings, provider: SandboxHandle
) -> None:
    provider.advance(timedelta(hours=6))
    then = settings.model_copy(update={"now": provider.now()})
    assert sync_build_publish(then, is_building=False).sync.rows_new > 0
    assert not is_up_to_date(then)
    assert sync_build_publish(then).build


@pytest.mark.parametrize(
    "task", [Task(since=FROM), Task(reconcile_days=1), Task(is_replaying_quarantine=True)]
)
def test_whatever_is_asked_beside_what_is_new_builds(settings: Settings, task: Task) -> None:
    assert sync_build_publish(settings, task).build


@pytest.mark.parametrize("change", [{"timezone": "Europe/London"}, {"settle_days": 59}])
def test_other_settings_build(settings: Settings, change: dict[str, object]) -> None:
    assert is_up_to_date(settings)
    assert not is_up_to_date(settings.model_copy(update=change))


def test_another_business_day_builds(settings: Settings) -> None:
    assert not is_up_to_date(later(settings, days=1))


def test_other_cost_centres_build(settings: Settings) -> None:
    seeds = settings.data_dir / "seeds"
    seeds.mkdir()
    (seeds / "cost_centres.csv").write_text("key_id,cost_centre,description\n1,IT,x\n")
    assert not is_up_to_date(settings)


def test_another_version_of_the_package_builds(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "__version__", "99")
    assert not is_up_to_date(settings)


def test_a_published_copy_that_is_missing_or_older_is_published_again(settings: Settings) -> None:
    settings.published_path.unlink()
    assert not is_up_to_date(settings)
    assert sync_build_publish(settings).published
    assert is_up_to_date(settings)
    build_and_check(settings)  # not published
    assert not is_up_to_date(settings)


@pytest.mark.parametrize(
    "change",
    [
        "insert into raw.sms select * from raw.sms limit 1",
        "delete from raw.sms where uuid = (select min(uuid) from raw.sms)",
        "update raw.sms set price = price + 1",
        "delete from raw.bulk",
    ],
)
def test_rows_that_were_changed_by_hand_are_built(settings: Settings, change: str) -> None:
    with Warehouse.of(settings).begin() as transaction:
        transaction.run(change)
    assert not is_up_to_date(settings)


def test_a_build_that_failed_a_blocking_check_is_built_again(settings: Settings) -> None:
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("insert into raw.sms select * from raw.sms limit 1")
    assert build_and_check(settings).failures
    assert not is_up_to_date(settings)


@pytest.mark.parametrize(
    ("open_message", "wait"),
    [
        ("created_at = $now - interval 60 day + interval 30 minute, delivery_at = null", "ages out"),
        ("delivery_at = $now + interval 30 minute", "becomes due"),
    ],
)
def test_a_message_whose_state_time_alone_changes_builds(
    settings: Settings, open_message: str, wait: str
) -> None:
    with Warehouse.of(settings).begin() as transaction:
        transaction.run(
            f"update raw.sms set status_code = 0, dlr_code = 0, {open_message} "
            "where uuid = (select min(uuid) from raw.sms)",
            {"now": settings.clock().replace(tzinfo=None)},
        )
    assert not build_and_check(settings).failures
    publish(settings)
    assert is_up_to_date(later(settings, minutes=20)), wait
    assert not is_up_to_date(later(settings, minutes=31)), wait


def days_rebuilt(settings: Settings, *, is_full: bool = False) -> dict[str, int]:
    return {part.model: len(part.days) for part in build_and_check(settings, is_full=is_full).models.parts}


def test_a_build_after_a_change_makes_its_day_and_a_full_one_all_days(settings: Settings) -> None:
    build_and_check(settings)
    assert set(days_rebuilt(settings).values()) == {0}
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("update raw.sms set price = 7 where uuid = (select min(uuid) from raw.sms)")
    assert days_rebuilt(settings)["marts.fct_sms"] == 1
    assert days_rebuilt(settings, is_full=True) == {}


def test_what_a_file_made_that_is_deleted_is_dropped_by_the_next_build(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tmp_path / "dbt_like_sql"
    shutil.copytree(files.default_path(), fewer)
    (fewer / "marts" / "coverage_spans.sql").unlink()
    declared = fewer / "marts" / "_models.yml"
    before, _, after = declared.read_text().partition("  - name: coverage_spans\n")
    declared.write_text(
        before + "  - name: quarantined_rows\n" + after.partition("  - name: quarantined_rows\n")[2]
    )
    for reader in ("files", "project"):
        monkeypatch.setattr(f"sms_etl.models.{reader}.default_path", lambda: fewer)
    build_and_check(settings)
    with Warehouse.of(settings).begin() as transaction:
        query = "select table_name from information_schema.tables where table_schema = 'marts'"
        left = {name for (name,) in transaction.native.execute(query).fetchall()}
        known = {
            name for (name,) in transaction.native.execute("select model from ops.model_test").fetchall()
        }
    assert "coverage_spans" not in left
    assert "coverage_daily" in left
    assert "marts.coverage_spans" not in known


def test_a_file_that_is_no_warehouse_is_not_up_to_date(settings: Settings) -> None:
    with duckdb.connect(str(settings.data_dir / "warehouse.duckdb")) as connection:
        connection.execute("drop table ops.build_context")
    assert not is_up_to_date(settings)
