"""One sync at a time works on a data directory."""

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from sms_etl.errors import AlreadyRunning, DataDirError
from sms_etl.settings import Settings, load_settings
from sms_etl.sync.lock import only_one, only_one_campaign


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data")


def test_a_second_sync_is_refused_while_one_is_at_work(settings: Settings) -> None:
    with only_one(settings), pytest.raises(AlreadyRunning, match="works on"), only_one(settings):
        pass


def test_two_data_directories_of_one_warehouse_exclude_each_other(settings: Settings, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(settings.data_dir)
    another = load_settings(data_dir=tmp_path / "another", warehouse=f"duckdb:///{link / 'warehouse.duckdb'}")
    for excluding in (only_one, only_one_campaign):
        for first, second in ((settings, another), (another, settings)):
            with (
                excluding(first),
                pytest.raises(AlreadyRunning, match=r"warehouse\.duckdb"),
                excluding(second),
            ):
                pass


def test_two_warehouses_in_one_folder_do_not_exclude_each_other(tmp_path: Path) -> None:
    first, second = (
        load_settings(data_dir=tmp_path / name, warehouse=f"duckdb:///{tmp_path / name}.duckdb")
        for name in ("a", "b")
    )
    with only_one(first), only_one(second), only_one_campaign(first):
        pass


def test_the_next_sync_begins_once_one_is_done_or_has_failed(settings: Settings) -> None:
    with only_one(settings):
        pass
    with pytest.raises(RuntimeError), only_one(settings):
        raise RuntimeError
    with only_one(settings):
        pass


def test_the_data_directory_is_made_for_its_owner_and_kept_so(settings: Settings) -> None:
    with only_one(settings):
        assert settings.data_dir.stat().st_mode & 0o077 == 0
    (settings.data_dir / "sync.lock").chmod(0o644)
    with only_one(settings):
        assert (settings.data_dir / "sync.lock").stat().st_mode & 0o077 == 0


def refusing(error: OSError) -> type[FileLock]:
    class Refusing(FileLock):
        def acquire(self, timeout: float) -> None:  # type: ignore[override]  # it never returns
            assert timeout == 0, "who is refused is told at once"
            raise error

    return Refusing


def test_a_lock_that_cannot_be_taken_at_all_is_no_other_sync(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.sync.lock.FileLock", refusing(PermissionError(13, "Permission denied")))
    with pytest.raises(DataDirError, match="Permission denied"), only_one(settings):
        pass


def test_a_lock_that_waits_for_a_folder_to_take_its_file_is_no_other_sync(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_etl.sync.lock.FileLock", refusing(Timeout("sync.lock")))
    with pytest.raises(DataDirError), only_one(settings):
        pass
