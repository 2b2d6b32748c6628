"""Segments: who may read one, what a kill leaves, and when the next one begins."""

import os
from pathlib import Path

import pytest

from sms_etl.events.event import KeptEvent, as_line
from sms_etl.events.segments import BacklogFullError, SegmentWriter, backlog, segments_in, taken
from sms_etl_tests.events.conftest import AT, message


def line(name: str) -> bytes:
    return as_line(KeptEvent(message(name), message(name), AT, 1, 100, 7))


def read_all(folder: Path) -> list[list[str]]:
    names = {message(name): name for name in "abcdef"}
    found = []
    for path in segments_in(folder):
        with taken(path) as segment:
            found.append([names[event.uuid] for event in segment.events] if segment else ["written to"])
    return found


def test_a_segment_is_read_once_its_writer_has_closed_it(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(line("a") + line("b"))
    assert read_all(tmp_path) == [["written to"]]
    writer.close()
    writer.append(line("c"))
    assert read_all(tmp_path) == [["a", "b"], ["written to"]]
    writer.close()
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in segments_in(tmp_path))


def test_the_next_segment_begins_when_one_is_full_or_old(tmp_path: Path) -> None:
    ticks = [0.0]
    writer = SegmentWriter(tmp_path, most_bytes=2 * len(line("a")), oldest_seconds=5, ticks=lambda: ticks[0])
    for name in "abc":
        writer.append(line(name))
    ticks[0] = 4.9
    writer.close_if_due()
    assert read_all(tmp_path) == [["a", "b"], ["written to"]]
    ticks[0] = 5.0
    writer.close_if_due()
    assert read_all(tmp_path) == [["a", "b"], ["c"]]


def test_a_line_that_was_cut_is_left_out_and_damaged_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(line("a") + b"\0\0\0\n" + line("b") + line("c")[:-20])
    with taken(tmp_path / "1.jsonl") as segment:
        assert segment is not None
        assert [event.uuid for event in segment.events] == [message("a"), message("b")]
        assert (segment.damaged, segment.is_torn) == ([2], True)


def test_all_that_was_written_is_synced_before_it_counts_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill of the process shows nothing of it: only the machine's own end would."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    writer = SegmentWriter(tmp_path)
    for name in "abc":
        writer.append(line(name))
        assert synced[-1] == backlog(tmp_path)
    assert len(synced) == 3


def test_what_cannot_be_synced_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    writer = SegmentWriter(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            writer.append(line("a"))
    writer.append(line("b"))
    writer.close()
    assert read_all(tmp_path) == [["a"], ["b"]], "what may be there is kept, and nothing comes behind it"


def test_nothing_is_written_behind_a_line_that_may_be_cut(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(line("a"))
    (path,) = segments_in(tmp_path)
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.exists() and descriptor.resolve() == path:
            replaced = os.open("/dev/full", os.O_WRONLY)  # a disk without space
            os.dup2(replaced, int(descriptor.name))
            os.close(replaced)
    with pytest.raises(OSError, match="No space left"):
        writer.append(line("b"))
    writer.append(line("c"))
    writer.close()
    assert read_all(tmp_path) == [["a"], ["c"]]


def test_no_more_is_taken_than_a_sync_can_catch_up_with(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, most_bytes=1, most_backlog=2 * len(line("a")))
    writer.append(line("a"))
    writer.append(line("b"))
    with pytest.raises(BacklogFullError):
        writer.append(line("c"))
    assert backlog(tmp_path) == 2 * len(line("a"))
    segments_in(tmp_path)[0].unlink()
    writer.append(line("d"))
    assert read_all(tmp_path) == [["b"], ["d"]]


def test_a_folder_that_is_not_there_has_no_backlog(tmp_path: Path) -> None:
    assert backlog(tmp_path / "none") == 0
    assert segments_in(tmp_path / "none") == []


def test_a_segment_that_is_gone_is_none(tmp_path: Path) -> None:
    with taken(tmp_path / "1.jsonl") as segment:
        assert segment is None
