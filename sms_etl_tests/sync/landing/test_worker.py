"""Landing files written in a process of their own: the same files, and nothing lost when it is killed."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import active_children
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from sms_etl.errors import DataDirError, LandingLost
from sms_etl.sandbox.server import SandboxHandle
from sms_etl.sync.engine import run_sync
from sms_etl.sync.landing import worker as lander
from sms_etl.sync.landing.files import STAGED_SUFFIX, Landed, StagedFile, WindowManifest
from sms_etl.sync.landing.worker import ROWS_WORTH_A_PROCESS, Lander
from sms_etl.sync.streams import BULKS, SMS, Stream
from sms_etl_tests.conftest import SettingsAt
from sms_etl_tests.faults import evidence
from sms_etl_tests.faults.proxy import Asked
from sms_etl_tests.provider_truth import ask, assert_bulks_equal, assert_messages_equal, warehouse_of
from sms_etl_tests.providers.lox24.rows import BULK, BULK_UUID, HIDDEN, ROW, UUID, raw
from sms_etl_tests.sync.manifests import manifest_of

ENDS_WITHIN_S = 20


def written(
    by: Lander, stream: Stream, manifest: WindowManifest, *rows: bytes, gone: Sequence[str] = ()
) -> StagedFile:
    return asyncio.run(by.write(stream, manifest, [msgspec.Raw(row) for row in rows], gone))


def pids() -> list[int]:
    """Return the processes that this one has started and that still run."""
    return [process.pid for process in active_children() if process.pid is not None]


@pytest.fixture
def in_thread(tmp_path: Path) -> Iterator[Lander]:
    thread = Lander(tmp_path / "thread", HIDDEN)
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lander]:
    """A lander with a process, for all tests that leave it whole: to start one takes a second."""
    process = Lander(tmp_path_factory.mktemp("apart"), HIDDEN)
    process.expect(ROWS_WORTH_A_PROCESS)
    yield process
    process.close()
    assert pids() == []


@pytest.fixture
def always_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is worth it for any number of rows."""
    monkeypatch.setattr(lander, "ROWS_WORTH_A_PROCESS", 0)


def test_few_rows_start_no_process_and_many_start_one(in_thread: Lander) -> None:
    before = pids()
    in_thread.expect(ROWS_WORTH_A_PROCESS - 1)
    assert pids() == before
    in_thread.expect(ROWS_WORTH_A_PROCESS)
    in_thread.expect(ROWS_WORTH_A_PROCESS)
    assert len(pids()) == len(before) + 1
    in_thread.close()
    assert pids() == before


@pytest.mark.parametrize(
    ("stream", "rows", "gone"),
    [
        (SMS, (raw(ROW), raw(ROW, price="-1"), raw(ROW, new='{"a": 1.10}'), b"17"), (UUID[:-1] + "f",)),
        (SMS, (), ()),
        (BULKS, (raw(BULK), raw(BULK, created_at="null")), (BULK_UUID,)),
    ],
    ids=["messages", "no rows", "bulks"],
)
def test_the_process_writes_the_file_a_thread_writes(
    apart: Lander, in_thread: Lander, stream: Stream, rows: Sequence[bytes], gone: Sequence[str]
) -> None:
    manifest = manifest_of(stream)
    by_process, by_thread = (
        written(one, stream, manifest, *rows, gone=gone).commit() for one in (apart, in_thread)
    )
    assert by_process.path.name == by_thread.path.name
    assert by_process.manifest == by_thread.manifest
    table, expected = pq.read_table(by_process.path), pq.read_table(by_thread.path)
    assert table.schema.equals(expected.schema, check_metadata=True)
    assert table.equals(expected)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_full_disk_arrives_from_the_process_with_what_to_do_and_leaves_nothing(apart: Lander) -> None:
    whole = written(apart, SMS, manifest_of(SMS), raw(ROW)).path
    [pid] = pids()
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    with pytest.raises(DataDirError, match="cannot be written: File too large") as caught:
        written(apart, SMS, manifest_of(SMS), raw(ROW))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    assert caught.value.hint.startswith("Free disk space")
    again = written(apart, SMS, manifest_of(SMS), raw(ROW)).path
    assert set(whole.parent.glob(f"*{STAGED_SUFFIX}")) == {whole, again}
    for path in (whole, again):
        path.unlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_stops_the_whole_group_does_not_end_the_process_before_the_sync_decides(
    apart: Lander, number: signal.Signals
) -> None:
    written(apart, SMS, manifest_of(SMS), raw(ROW)).commit()
    [pid] = pids()
    os.kill(pid, number)
    assert written(apart, SMS, manifest_of(SMS), raw(ROW)).commit().path.exists()
    assert pids() == [pid]


def test_a_sync_that_lands_in_a_process_ends_with_what_the_provider_has(
    provider: SandboxHandle, settings_at: SettingsAt, always_apart: None
) -> None:
    settings, before, at_work = settings_at(provider), set(pids()), set[int]()
    run_sync(settings, progress=lambda *_: at_work.update(pids()))
    assert len(at_work - before) == 1
    assert set(pids()) == before, "it ends with the sync"
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())
    assert_bulks_equal(warehouse_of(settings), provider.truth_bulks())


def test_when_the_process_is_killed_the_sync_says_what_to_do_and_the_next_goes_on_behind_what_is_landed(
    provider: SandboxHandle, settings_at: SettingsAt, always_apart: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.set_switches(page_size=1)  # six windows
    settings, before = settings_at(provider), set(pids())
    commit = StagedFile.commit

    def short_of_memory(aside: StagedFile) -> Landed:
        """Put a file in its place and end the process that wrote it, as the system does."""
        for pid in set(pids()) - before:
            os.kill(pid, signal.SIGKILL)
        return commit(aside)

    with monkeypatch.context() as patched:
        patched.setattr(StagedFile, "commit", short_of_memory)
        with pytest.raises(LandingLost, match="ended from outside") as caught:
            run_sync(settings)
    assert "run `sms-etl sync` again" in caught.value.hint
    assert ask(settings, "select stopped_reason from ops.sync_run") == [("LandingLost",)]
    landed = evidence.landed_windows(settings)
    assert landed
    evidence.assert_all_landed_is_loaded(settings)
    provider.forget_requests()
    run_sync(settings)
    asked = [Asked(2, f"{each['path']}?{each['query']}", 0, "") for each in provider.requests()]
    evidence.assert_nothing_landed_was_asked_again(asked, landed, int(settings.overlap.total_seconds()))
    assert_messages_equal(warehouse_of(settings), provider.truth_sms())


def test_what_was_left_aside_is_removed_by_the_next_sync(
    empty_provider: SandboxHandle, settings_at: SettingsAt
) -> None:
    settings = settings_at(empty_provider)
    left = [settings.landing_dir / stream.name / f"left{STAGED_SUFFIX}" for stream in (SMS, BULKS)]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"PAR1")
    run_sync(settings)
    assert [path for path in left if path.exists()] == []


_A_SYNC = """
import sys
from multiprocessing import active_children
from pathlib import Path
from sms_etl.sync.landing.worker import ROWS_WORTH_A_PROCESS, Lander
from sms_etl.sync.streams import SMS
from sms_etl_tests.providers.lox24.rows import HIDDEN
from sms_etl_tests.sync.landing.test_worker import written
from sms_etl_tests.sync.manifests import manifest_of

if __name__ == "__main__":
    lander = Lander(Path(sys.argv[1]), HIDDEN)
    lander.expect(ROWS_WORTH_A_PROCESS)
    for _ in range(int(sys.argv[2])):
        written(lander, SMS, manifest_of(SMS))
    [process] = active_children()
    print(process.pid, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("files", [0, 1], ids=["while it starts", "after its first file"])
def test_the_process_ends_when_the_sync_is_killed(tmp_path: Path, files: int) -> None:
    program = tmp_path / "a_sync.py"
    program.write_text(_A_SYNC, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), str(files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as sync:
        assert sync.stdout is not None
        child = int(sync.stdout.readline())
        try:
            sync.kill()
            # What it started writes to the same pipe, which ends when the last of them has ended.
            sync.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.kill(child, signal.SIGKILL)
            raise
    assert sync.returncode == -signal.SIGKILL
