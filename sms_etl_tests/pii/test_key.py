"""Holds where the key comes from, that it is made once, and that nothing but a sound one is taken."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sms_etl.errors import DataDirError, SettingsError
from sms_etl.pii.key import KEY_FILE, find_key, find_or_make_key, fingerprint
from sms_etl.settings import Settings, load_settings

SOUND = "0123456789abcdef" * 4


def settings_in(folder: Path, **more: str) -> Settings:
    return load_settings(data_dir=folder, **more)


def put_key(folder: Path, text: str = SOUND, mode: int = 0o600) -> Path:
    path = folder / KEY_FILE
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "new" / "data")
    assert find_key(settings) is None
    first = find_or_make_key(settings)
    path = settings.data_dir / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(path.read_text())) == 32
    assert find_or_make_key(settings) == find_key(settings) == first == path.read_text().strip().encode()
    assert [path.name for path in settings.data_dir.iterdir()] == [KEY_FILE]


def test_a_new_key_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut could leave an empty key behind, and hashes that nothing joins to."""
    synced: list[int] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)
        assert not (tmp_path / KEY_FILE).exists()

    monkeypatch.setattr(os, "fsync", note)
    find_or_make_key(settings_in(tmp_path))
    assert synced == [(tmp_path / KEY_FILE).stat().st_ino]


def test_two_data_folders_have_two_keys(tmp_path: Path) -> None:
    assert len({find_or_make_key(settings_in(tmp_path / name)) for name in ("one", "two")}) == 2


def test_the_text_of_the_key_file_is_the_same_key_when_given_as_a_setting(tmp_path: Path) -> None:
    key = put_key(tmp_path)
    given = settings_in(tmp_path / "other", pii_key=f" {key.read_text()}\n")
    assert find_key(given) == find_key(settings_in(tmp_path)) == SOUND.encode()


def test_with_a_key_given_no_file_is_made(tmp_path: Path) -> None:
    find_or_make_key(settings_in(tmp_path, pii_key=SOUND))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["a", "x" * 31, "   " + "x" * 31])
def test_a_key_that_could_be_found_by_trying_is_refused_and_never_quoted(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match=r"SMS_ETL_PII_KEY: give at least 32 bytes.*token_hex") as caught:
        settings_in(tmp_path, pii_key=key)
    assert "xx" not in str(caught.value)


def test_what_the_message_tells_to_run_makes_a_key_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_in(tmp_path, pii_key="a")
    command = caught.value.message.partition("to make one: ")[2]
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout  # noqa: S607 - the PATH's sh
    assert find_key(settings_in(tmp_path, pii_key=made)) == made.strip().encode()


@pytest.mark.parametrize("text", ["", "abc", "00" * 31, "zz" * 32, "é" * 64, SOUND.upper(), SOUND + "0"])
def test_a_damaged_key_is_refused_rather_than_replaced(tmp_path: Path, text: str) -> None:
    path = put_key(tmp_path, text)
    with pytest.raises(DataDirError, match="is damaged") as caught:
        find_or_make_key(settings_in(tmp_path))
    assert "Restore it from a backup" in caught.value.hint
    assert path.read_text(encoding="utf-8") == text
    assert text == "" or text not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = put_key(tmp_path, mode=mode)
    with pytest.raises(DataDirError, match=f"its mode is {mode:04o}") as caught:
        find_key(settings_in(tmp_path))
    assert f"chmod 600 {path}" in caught.value.hint


@pytest.mark.parametrize("is_dangling", [True, False])
def test_a_symbolic_link_is_no_key(tmp_path: Path, is_dangling: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / KEY_FILE).symlink_to(elsewhere / KEY_FILE)
    if not is_dangling:
        put_key(elsewhere)
    with pytest.raises(DataDirError, match="is a symbolic link"):
        find_or_make_key(settings_in(tmp_path))
    assert is_dangling == (list(elsewhere.iterdir()) == [])


def test_a_folder_or_a_pipe_is_no_key(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(DataDirError, match="is a folder"):
        find_key(settings_in(tmp_path))
    (tmp_path / KEY_FILE).rmdir()
    os.mkfifo(tmp_path / KEY_FILE)
    with pytest.raises(DataDirError, match="is no plain file"):
        find_key(settings_in(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    put_key(tmp_path, mode=0)
    with pytest.raises(DataDirError, match="cannot be read: Permission denied"):
        find_key(settings_in(tmp_path))


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="is a file"):
        find_or_make_key(settings_in(tmp_path / "file" / "data"))


def test_a_fingerprint_tells_keys_apart_and_is_no_hash_of_a_number() -> None:
    assert fingerprint(b"a" * 32) == fingerprint(b"a" * 32) != fingerprint(b"b" * 32)
    assert len(fingerprint(b"a" * 32)) == 16


PRINT_THE_KEY = """
import sys
from sms_etl.pii.key import find_or_make_key
from sms_etl.settings import load_settings
sys.stdin.readline()
print(find_or_make_key(load_settings(data_dir=sys.argv[1])))
"""


def test_processes_that_make_the_key_at_the_same_time_get_the_same(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", PRINT_THE_KEY, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    with ThreadPoolExecutor(len(racers)) as pool:
        answers = list(pool.map(lambda racer: racer.communicate("go\n", timeout=30)[0], racers))
    assert len(set(answers)) == 1
    assert answers[0].strip()
    assert [path.name for path in (tmp_path / "data").iterdir()] == [KEY_FILE]


def test_threads_that_do_so_get_the_same_too(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: find_or_make_key(settings), range(8)))) == 1
