"""Holds that a stricter policy is refused until it is carried out, and then leaves no byte of what was."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from sms_etl.build import build_and_check
from sms_etl.cli.demo import with_sandbox
from sms_etl.cli.doctor import examine
from sms_etl.cli.status import read_status
from sms_etl.clock import to_unix
from sms_etl.errors import AlreadyRunning, ModelError, PolicyNotApplied, WarehouseLocked
from sms_etl.pii import apply as pii_apply
from sms_etl.pii.apply import AppliedPolicy, apply_policy
from sms_etl.pii.policy import PiiPolicy
from sms_etl.pipeline import sync_build_publish
from sms_etl.retention.holds import Scope, add_hold
from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.sandbox.server import SandboxHandle, running_sandbox
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.engine import run_sync
from sms_etl.sync.landing.files import find_landed
from sms_etl.sync.lock import only_one
from sms_etl.sync.streams import SMS
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.provider_truth import ask
from sms_etl_tests.warehouse.conftest import Hold, hold  # noqa: F401 - a fixture

BAD_PHONE, BAD_TEXT = "+4915799887766", "the text of a row that waits in quarantine"
HELD_SENDER = "+4915799887755"


@pytest.fixture(scope="module")
def account() -> Iterator[SandboxHandle]:
    """An account with a row that cannot be loaded; no test changes it."""
    with running_sandbox(account=AccountParameters(messages=300, days=6)) as provider:
        now = to_unix(provider.now())
        bad = {"phone": BAD_PHONE, "text": BAD_TEXT, "extra": {"price": "free"}}
        provider.insert({"created_at": now, **bad})
        yield provider


def settings_of(account: SandboxHandle, data_dir: Path) -> Settings:
    settings = load_settings(data_dir=data_dir, now=account.now(), pii="keep", publish="all")
    return with_sandbox(settings, account)


@pytest.fixture(scope="module")
def template(account: SandboxHandle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was synced, published whole and backed up, with numbers and texts."""
    settings = settings_of(account, tmp_path_factory.mktemp("kept") / "data")
    sync_build_publish(settings)
    with Warehouse.of(settings).begin() as transaction:
        add_hold(transaction, settings, Scope(sender_id=HELD_SENDER), reason="complaint", ends_at=None)
    back_up(settings)
    return settings.data_dir


@pytest.fixture
def kept(account: SandboxHandle, template: Path, tmp_path: Path) -> Settings:
    """Settings of a copy of it."""
    shutil.copytree(template, tmp_path / "data")
    return settings_of(account, tmp_path / "data")


@pytest.fixture
def stricter(kept: Settings) -> Settings:
    return kept.model_copy(update={"pii": PiiPolicy.PSEUDONYMISE})


@pytest.fixture
def personal(account: SandboxHandle) -> set[str]:
    """All that is personal in the account and long enough to be told from chance."""
    names = ("phone", "text", "ip", "callback_data")
    found = {message[name] for message in account.truth_sms() for name in names if message[name]}
    return {text for text in found if len(text) > 11} | {BAD_PHONE, BAD_TEXT, HELD_SENDER}


def contents(data_dir: Path) -> Iterator[tuple[str, str]]:
    """Return all there is to read in a data directory: the bytes of each file, and what each table holds."""
    for path in sorted(path for path in data_dir.rglob("*") if path.is_file()):
        name = str(path.relative_to(data_dir))
        yield name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield (
                f"{name}, its rows",
                json.dumps(table.to_pylist(), default=str, ensure_ascii=False),
            )
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute(
                    "select schema_name || '.' || table_name from duckdb_tables() where not internal"
                ).fetchall()
                for (table_name,) in tables:
                    rows = connection.execute(f"from {table_name}").fetchall()
                    yield f"{name}, {table_name}", json.dumps(rows, default=str, ensure_ascii=False)


def holding(settings: Settings, personal: set[str]) -> dict[str, int]:
    """Count what is found of personal texts, by where."""
    counts = {
        where: sum(text in content for text in personal) for where, content in contents(settings.data_dir)
    }
    return {where: count for where, count in counts.items() if count}


def receipts(settings: Settings) -> list[tuple[Any, ...]]:
    return ask(
        settings, "select kind, finished_at is not null, messages, quarantined, files from ops.pii_receipt"
    )


def test_what_is_kept_lies_in_the_warehouse_landed_files_the_copy_and_the_backup(
    kept: Settings, personal: set[str]
) -> None:
    """What the other tests look for can be found."""
    where = " ".join(holding(kept, personal))
    for place in (
        "warehouse.duckdb, raw.sms",
        "ops.quarantine",
        "ops.hold",
        "landing/sms",
        "published/",
        "backup/",
    ):
        assert place in where


@pytest.mark.parametrize("step", [run_sync, build_and_check, publish], ids=lambda step: step.__name__)
def test_a_stricter_policy_is_refused_until_it_is_applied(
    stricter: Settings, account: SandboxHandle, step: Any
) -> None:
    account.forget_requests()
    with pytest.raises(PolicyNotApplied, match="in clear") as caught:
        step(stricter)
    assert caught.value.exit_code == 2
    assert "`sms-etl pii apply`" in caught.value.hint
    assert account.requests() == []
    status = read_status(stricter)
    assert (status.needs_attention, status.is_policy_unapplied, status.personal_data) == (True, True, "keep")
    (found,) = [found for found in examine(stricter) if found.subject == "personal data"]
    assert not found.is_ok


def test_applied_it_leaves_nothing_in_any_byte_of_the_data_directory_and_a_receipt(
    stricter: Settings, personal: set[str]
) -> None:
    result = apply_policy(stricter)
    assert holding(stricter, personal) == {}
    assert (result.messages, result.quarantined) == (300, 1)
    assert result.files == len(list(stricter.landing_dir.glob("*/*.parquet")))
    assert (result.published, result.backup) == (stricter.published_path, stricter.backup_path)
    assert receipts(stricter) == [("policy", True, result.messages, 1, result.files)]
    assert not read_status(stricter).is_policy_unapplied
    assert read_status(stricter).personal_data == "pseudonymise"
    left = {path.name for path in stricter.data_dir.glob("warehouse*")}
    assert left - {"warehouse.duckdb.lock", "warehouse.duckdb.holds"} == {"warehouse.duckdb"}


def test_figures_changes_and_hashes_stay_as_they_were_and_syncs_go_on(
    kept: Settings, stricter: Settings
) -> None:
    sums = "select count(*), sum(price), count(distinct phone_hash) from raw.sms"
    changes = "select * from raw.sms_change order by all"
    figures = "select * from marts.cost_daily order by all"
    before = [ask(kept, sql) for sql in (sums, changes, figures)]
    apply_policy(stricter)
    assert [ask(stricter, sql) for sql in (sums, changes, figures)] == before
    again = sync_build_publish(stricter).sync
    assert (again.rows_changed, again.rows_quarantined) == (0, 0), "what is read again is as it is stored"
    assert again.quarantine_open == 1, "the row that waits was met again"
    assert ask(stricter, "select count(*) from raw.sms where phone is not null or text is not null") == [(0,)]


def test_a_landed_file_is_loaded_again_as_it_was_but_for_what_was_blanked(
    stricter: Settings, kept: Settings
) -> None:
    [*_, landed] = find_landed(kept.landing_dir, SMS, but_not=set()).whole
    before = pq.read_table(landed.path)
    apply_policy(stricter)
    [*_, again] = find_landed(stricter.landing_dir, SMS, but_not=set()).whole
    after = pq.read_table(again.path)
    blanked = ["phone", "text", "bad_raw", "ip", "callback_data", "sender_id"]
    assert again.manifest == landed.manifest
    assert after.schema.equals(before.schema, check_metadata=True)
    assert after.drop_columns(blanked).equals(before.drop_columns(blanked))


def test_it_is_done_once(stricter: Settings) -> None:
    apply_policy(stricter)
    before = Warehouse.of(stricter).path.read_bytes()
    assert apply_policy(stricter) == AppliedPolicy(is_changed=False, policy=PiiPolicy.PSEUDONYMISE)
    assert ask(stricter, "select count(*) from ops.pii_receipt") == [(1,)]
    assert len(before) == Warehouse.of(stricter).path.stat().st_size


STEPS = ["rewrite_landing", "build_and_check", "rewrite_warehouse", "replace_copies", "_finish"]


# After a step is before the next one.
@pytest.mark.parametrize(("step", "when"), [*((step, "before") for step in STEPS), (STEPS[-1], "after")])
def test_interrupted_at_any_point_all_is_refused_until_it_is_run_again_and_that_completes_it(
    stricter: Settings, personal: set[str], monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    done = getattr(pii_apply, step)

    def interrupted(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            done(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pii_apply, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            apply_policy(stricter)
    with pytest.raises(PolicyNotApplied, match="was interrupted"):
        run_sync(stricter)
    with pytest.raises(PolicyNotApplied):
        publish(stricter)
    result = apply_policy(stricter)
    assert holding(stricter, personal) == {}
    assert (result.messages, result.quarantined) == (300, 1), "of both runs together"
    assert [receipt[:2] for receipt in receipts(stricter)] == [("policy", True)]
    assert run_sync(stricter).stopped_reason == "done"


def test_what_a_run_that_was_killed_left_behind_is_removed(stricter: Settings, personal: set[str]) -> None:
    data = stricter.data_dir
    (data / "warehouse.duckdb.tmp").mkdir()
    for left in (
        "warehouse.duckdb.tmp/spilt.tmp",
        "warehouse.duckdb.new",
        "warehouse.duckdb.new.wal",
        "landing/sms/unfinished.tmp",
        "published/warehouse.tmp",
        "published/warehouse.tmp.wal",
        "backup/warehouse.duckdb.tmp",
    ):
        (data / left).write_text(BAD_PHONE)
    apply_policy(stricter)
    assert holding(stricter, personal) == {}


def test_a_landed_file_that_cannot_be_read_is_named(stricter: Settings) -> None:
    (stricter.landing_dir / "sms" / "cut.parquet").write_text(BAD_PHONE)
    result = apply_policy(stricter)
    assert result.files_unreadable == ("sms/cut.parquet",)
    assert result.as_json()["files_unreadable"] == ["sms/cut.parquet"]


def test_back_to_keep_what_comes_is_kept_and_an_unfinished_change_is_called_off(
    kept: Settings, stricter: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pii_apply, "rewrite_warehouse", lambda *_: pytest.fail("stopped"))
        with pytest.raises(pytest.fail.Exception):
            apply_policy(stricter)
    assert run_sync(kept).stopped_reason == "done"
    assert not apply_policy(kept).is_changed
    assert not read_status(kept).is_policy_unapplied
    assert ask(kept, "select reason from ops.pii_receipt") == [("not completed: SMS_ETL_PII=keep",)]
    with pytest.raises(PolicyNotApplied):
        run_sync(stricter)


def test_from_pseudonymise_to_keep_is_allowed_from_now_on_and_status_tells(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    run_sync(settings_at(provider))
    provider.advance(timedelta(hours=1))
    provider.insert({"created_at": to_unix(provider.now()), "phone": BAD_PHONE, "text": BAD_TEXT})
    laxer = settings_at(provider, pii="keep")
    run_sync(laxer)
    assert ask(laxer, f"select count(*) from raw.sms where phone = '{BAD_PHONE}'") == [(1,)]
    assert read_status(laxer).personal_data == "keep"
    assert not read_status(laxer).needs_attention


def test_a_warehouse_from_before_is_under_what_its_rows_show(kept: Settings, stricter: Settings) -> None:
    with Warehouse.of(kept).begin() as transaction:
        transaction.run("delete from ops.pii")
    with pytest.raises(PolicyNotApplied):
        run_sync(stricter)
    assert apply_policy(stricter).is_changed


def test_landed_files_that_outlived_their_warehouse_are_not_loaded_in_clear(
    stricter: Settings, personal: set[str]
) -> None:
    Warehouse.of(stricter).path.unlink()
    with pytest.raises(PolicyNotApplied):
        run_sync(stricter)
    apply_policy(stricter)
    run_sync(stricter)
    assert holding(stricter, personal) == {}


def test_what_else_works_on_the_data_directory_is_not_met(stricter: Settings, hold: Hold) -> None:  # noqa: F811 - the fixture of that name
    with only_one(stricter), pytest.raises(AlreadyRunning):
        apply_policy(stricter)
    with hold(Warehouse.of(stricter).path), pytest.raises(WarehouseLocked):
        apply_policy(stricter)


def test_models_that_cannot_be_built_leave_it_unfinished_and_say_so(
    stricter: Settings, personal: set[str]
) -> None:
    seed = stricter.data_dir / "seeds" / "cost_centres.csv"
    seed.parent.mkdir()
    seed.write_text("not,a,seed\n1,2,3\n")
    with pytest.raises(ModelError):
        apply_policy(stricter)
    assert read_status(stricter).is_policy_unapplied
    seed.unlink()
    assert apply_policy(stricter).is_changed
    assert holding(stricter, personal) == {}
