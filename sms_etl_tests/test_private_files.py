"""Holds that what is written is its owner's alone, whatever the umask, and who reads the published copy."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sms_etl.cli.demo import run_demo
from sms_etl.cli.doctor import examine
from sms_etl.files import Sharing, keep_private, make_directory, mode_of, open_private, private
from sms_etl.finance.report import write_report
from sms_etl.pii.apply import apply_policy
from sms_etl.pipeline import sync_build_publish
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.settings import Settings, load_settings
from sms_etl.warehouse.backup import back_up
from sms_etl.warehouse.publish import publish
from sms_etl.warehouse.read import published
from sms_etl.warehouse.store import Warehouse
from sms_etl_tests.conftest import SettingsAt


@pytest.fixture(autouse=True)
def _the_widest_umask() -> Iterator[None]:
    """Under which a file is open to all unless it is made otherwise."""
    before = os.umask(0)
    yield
    assert os.umask(before) == 0, "the umask of the process is as it was"


def modes(folder: Path) -> dict[str, str]:
    """Return the modes of all below a folder, and of itself, that are not 0700 or 0600.

    Of the Parquet files only those are told that are not as the copy beside them.
    """
    found = {}
    for path in (folder, *folder.rglob("*")):
        copy = next((each.parent for each in path.parents if each.name == "parquet"), None)
        if copy is not None and mode_of(path) == mode_of(
            copy if path.is_dir() else copy / "warehouse.duckdb"
        ):
            continue
        expected = 0o700 if path.is_dir() else 0o600
        if mode_of(path) != expected:
            found[str(path.relative_to(folder))] = f"{mode_of(path):04o}"
    return found


def test_all_that_a_sync_a_report_a_backup_and_a_change_of_policy_write_is_the_owners_alone(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    kept = settings_at(provider, pii="keep")
    sync_build_publish(kept)
    with published(kept) as connection:
        now = kept.clock()
        write_report(connection, f"{now:%Y-%m}", kept.reports_dir, generated_at=now)
    back_up(kept)
    assert modes(kept.data_dir) == {"published/warehouse.duckdb": "0400"}
    apply_policy(settings_at(provider))
    assert modes(kept.data_dir) == {"published/warehouse.duckdb": "0400"}


def test_so_is_all_that_a_demo_writes(tmp_path: Path) -> None:
    run_demo(load_settings(data_dir=tmp_path / "data"), messages=200)
    assert modes(tmp_path / "data") == {"demo/published/warehouse.duckdb": "0400"}


def test_so_are_the_write_ahead_log_and_what_a_query_spills(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    with Warehouse.of(settings).begin() as transaction:
        transaction.run("insert into ops.account values ('1', 'EUR', 'http://x', now(), true)")
        transaction.run("commit; begin")
        assert (settings.data_dir / "warehouse.duckdb.wal").exists()
        assert modes(settings.data_dir) == {}


@pytest.mark.parametrize(
    ("sharing", "data", "folder", "file"),
    [("nobody", 0o700, 0o700, 0o400), ("group", 0o710, 0o750, 0o440), ("everybody", 0o711, 0o755, 0o444)],
)
def test_the_published_copy_is_shared_as_the_setting_says_and_nothing_else_is(
    provider: SandboxHandle, settings_at: SettingsAt, sharing: str, data: int, folder: int, file: int
) -> None:
    settings = settings_at(provider, share_published=sharing)
    sync_build_publish(settings)
    path = settings.published_path
    assert (mode_of(settings.data_dir), mode_of(path.parent), mode_of(path)) == (data, folder, file)
    expected = {".", "published", "published/warehouse.duckdb"}
    assert set(modes(settings.data_dir)) <= expected | {"published/parquet"}
    assert mode_of(settings.parquet_path) == folder


def test_another_choice_of_who_may_read_it_holds_from_the_next_sync_on_though_nothing_is_built(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    sync_build_publish(settings_at(provider, share_published="everybody"))
    settings = settings_at(provider)
    assert sync_build_publish(settings).is_up_to_date
    assert mode_of(settings.published_path) == 0o400
    assert mode_of(settings.data_dir) == 0o700


def test_a_group_that_the_owner_chose_for_the_folder_is_kept(
    provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(provider, share_published="group")
    make_directory(settings.published_path.parent)
    settings.published_path.parent.chmod(0o700 | stat.S_ISGID)
    sync_build_publish(settings)
    assert mode_of(settings.published_path.parent) == 0o750 | stat.S_ISGID


def test_what_earlier_versions_left_open_is_closed(synced_settings: Settings) -> None:
    settings = synced_settings
    for path in (settings.data_dir, *settings.data_dir.rglob("*")):
        if path.name != "pii.key":
            path.chmod(0o755 if path.is_dir() else 0o644)
    sync_build_publish(settings)
    below_a_closed_folder = {
        name
        for name in modes(settings.data_dir)
        if (name.startswith("landing/") and name.endswith(".parquet")) or name == "reports/overview.html"
    }
    assert set(modes(settings.data_dir)) - below_a_closed_folder == {"published/warehouse.duckdb"}


def finding(settings: Settings, subject: str) -> tuple[bool, str, str]:
    (found,) = [found for found in examine(settings) if found.subject == subject]
    return found.is_ok, found.says, found.do


def test_a_folder_that_holds_more_than_ours_is_left_as_it_is_and_doctor_says_so(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "home")
    settings.data_dir.mkdir(mode=0o755)
    settings.data_dir.chmod(0o755)
    (settings.data_dir / "thesis.txt").touch()
    keep_private(settings)
    assert mode_of(settings.data_dir) == 0o755
    is_ok, says, do = finding(settings, "data directory")
    assert not is_ok
    assert "open to others (mode 0755)" in says
    assert f"chmod 700 {settings.data_dir}" in do
    (settings.data_dir / "thesis.txt").unlink()
    keep_private(settings)
    assert mode_of(settings.data_dir) == 0o700
    assert finding(settings, "data directory")[0]


def test_what_its_owner_made_read_only_is_closed_to_others_and_stays_read_only(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    landing = settings.data_dir / "landing"
    landing.mkdir(parents=True)
    landing.chmod(0o555)
    keep_private(settings)
    assert mode_of(landing) == 0o500


def test_doctor_names_the_folder_that_keeps_those_out_with_whom_the_copy_is_shared(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = load_settings(data_dir=home / "data", share_published="everybody")
    make_directory(settings.data_dir)
    for folder in (*tmp_path.parents, tmp_path):
        if not mode_of(folder) & stat.S_IXOTH and folder.owner() == home.owner():
            folder.chmod(mode_of(folder) | stat.S_IXOTH)
    keep_private(settings)
    assert finding(settings, "sharing") == (
        False,
        f"SMS_ETL_SHARE_PUBLISHED=everybody, but they cannot enter {home}.",
        f"chmod o+x {home}, or move the data directory.",
    )
    home.chmod(0o711)
    assert finding(settings, "sharing")[0]


def test_files_made_in_many_threads_at_once_are_private_and_the_umask_comes_back(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with private():
            (tmp_path / str(number)).touch()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert {mode_of(path) for path in tmp_path.iterdir()} == {0o600}


def test_a_file_that_was_open_to_others_is_private_once_it_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o644)
    with open_private(path) as file:
        file.write(b"new")
    assert mode_of(path) == 0o600
    assert Sharing("nobody") is load_settings().share_published


def test_a_new_file_is_written_through_no_link_and_into_nobody_elses_file(tmp_path: Path) -> None:
    theirs, kept_open = tmp_path / "theirs", tmp_path / "kept-open"
    for path in (theirs, kept_open):
        path.write_text("theirs")
    (tmp_path / "link").symlink_to(theirs)
    (tmp_path / "hard").hardlink_to(kept_open)
    for name in ("link", "hard"):
        with open_private(tmp_path / name) as file:
            file.write(b"ours")
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"ours"
    assert (theirs.read_text(), kept_open.read_text()) == ("theirs", "theirs")


def test_publish_alone_closes_what_was_open_too(synced_settings: Settings) -> None:
    synced_settings.data_dir.chmod(0o755)
    publish(synced_settings)
    assert mode_of(synced_settings.data_dir) == 0o700
