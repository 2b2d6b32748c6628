"""One sync at a time works on a data directory."""

import os
import re
import time
from datetime import timedelta
from pathlib import Path
from threading import Thread

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


def test_whoever_works_on_the_data_is_named_by_its_process(settings: Settings) -> None:
    says = rf"works on .*data\. It is process {os.getpid()} since 20\d\d-.* UTC\.$"
    with only_one(settings), pytest.raises(AlreadyRunning) as found, only_one(settings):
        pass
    assert re.search(says, found.value.message)


def test_who_waits_begins_once_the_other_is_done(settings: Settings) -> None:
    patient = settings.model_copy(update={"lock_wait": timedelta(seconds=60)})
    done = []

    def wait() -> None:
        with only_one(patient):
            done.append("second")

    with only_one(settings):
        second = Thread(target=wait)
        second.start()
        time.sleep(0.3)  # long enough to be refused by now, were it not to wait
        done.append("first")
    second.join()
    assert done == ["first", "second"]


def test_who_waited_in_vain_says_so(settings: Settings) -> None:
    patient = settings.model_copy(update={"lock_wait": timedelta(seconds=0.1)})
    with only_one(settings), pytest.raises(AlreadyRunning, match="works on"), only_one(patient):
        pass


@pytest.mark.parametrize("written", ["", "process 1; call +49 170 1234567", "\xff"])
def test_what_is_not_ours_beside_a_lock_is_not_quoted(settings: Settings, written: str) -> None:
    with only_one(settings):
        (settings.data_dir / "sync.lock.holder").write_text(written, encoding="latin-1")
        with pytest.raises(AlreadyRunning) as found, only_one(settings):
            pass
    assert found.value.message == f"Another sync works on {settings.data_dir}."


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
        def acquire(self, timeout: float, **_: float) -> None:  # type: ignore[override]  # it never returns
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
