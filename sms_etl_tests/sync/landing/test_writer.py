"""Holds what a landed file says: its good, gone and bad rows, and the manifest of its window."""

import errno
import os
import stat
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from sms_etl.errors import DataDirError
from sms_etl.sync.landing.files import Landed, find_landed, name_of
from sms_etl.sync.landing.writer import SEEN_AT, landing_schema, write_staged
from sms_etl.sync.streams import BULKS, SMS, Stream
from sms_etl_tests.providers.lox24.rows import BULK, BULK_UUID, HIDDEN, PHONE, ROW, TEXT, UUID, raw
from sms_etl_tests.sync.manifests import manifest_of

MANIFEST = manifest_of()
OTHER_UUID = UUID[:-1] + "f"


def landed(folder: Path, *rows: bytes, stream: Stream = SMS, gone: tuple[str, ...] = ()) -> Landed:
    page = msgspec.json.encode([msgspec.Raw(row) for row in rows])
    return write_staged(folder, stream.layout, MANIFEST, page, gone, HIDDEN).commit()


def test_good_gone_and_bad_rows_lie_in_one_file_and_are_counted(tmp_path: Path) -> None:
    file = landed(tmp_path, raw(ROW, price="-1"), raw(ROW), gone=(OTHER_UUID,))
    assert (file.manifest.rows, file.manifest.rows_bad) == (1, 1)
    shown = pq.read_table(file.path, columns=["uuid", "is_gone", "bad_reason", "bad_uuid", "price"])
    assert [tuple(row.values()) for row in shown.to_pylist()] == [
        (UUID, False, None, None, Decimal("0.056000")),
        (OTHER_UUID, True, None, None, None),
        (None, False, "Negative, but documented as at least 0 - at `$.price`", UUID, None),
    ]


def test_the_file_alone_tells_the_facts_of_its_window(tmp_path: Path) -> None:
    file = landed(tmp_path, raw(ROW))
    assert find_landed(tmp_path, SMS, but_not=set()).whole == [file]
    assert find_landed(tmp_path, SMS, but_not={file.path.name}).whole == []


@pytest.mark.parametrize(("stream", "row"), [(SMS, ROW), (BULKS, BULK)], ids=["sms", "bulks"])
def test_the_columns_of_a_file_do_not_depend_on_what_is_in_it(
    tmp_path: Path, stream: Stream, row: dict[str, object]
) -> None:
    for rows in ([], [raw(row)], [raw(row, new="1")], [b"17"], [raw(row), b"17"]):
        file = landed(tmp_path, *rows, stream=stream)
        assert (
            pq.read_schema(file.path).remove_metadata().equals(landing_schema(stream.layout).append(SEEN_AT))
        )


def test_a_bulk_is_landed_with_its_cost(tmp_path: Path) -> None:
    table = pq.read_table(landed(tmp_path, raw(BULK), stream=BULKS).path)
    assert table.select(["uuid", "msg_total_cost", "is_gone"]).to_pylist() == [
        {"uuid": BULK_UUID, "msg_total_cost": Decimal("0.168000"), "is_gone": False}
    ]


@pytest.mark.parametrize(("literal", "country"), [('""', None), ("null", None), ('"us"', "US")])
def test_an_empty_country_is_none(tmp_path: Path, literal: str, country: str | None) -> None:
    file = landed(tmp_path, raw(ROW, iso2=literal))
    assert pq.read_table(file.path)["iso2"].to_pylist() == [country]


def test_under_pseudonymise_the_file_holds_neither_number_nor_text(tmp_path: Path) -> None:
    table = pq.read_table(landed(tmp_path, raw(ROW), raw(ROW, price="-1"), raw(ROW, new="1")).path)
    assert TEXT not in str(table.to_pylist())
    assert PHONE.removeprefix("+") not in str(table.to_pylist())


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / SMS.name).mkdir()
    blocked = tmp_path / SMS.name / name_of(MANIFEST)
    blocked.mkdir()
    with pytest.raises(DataDirError, match="cannot be written"):
        landed(tmp_path, raw(ROW))
    assert stat.S_ISDIR(blocked.stat().st_mode)
    assert list(blocked.parent.glob("*.tmp")) == []


def test_a_file_is_synced_whole_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave a name with nothing behind it. The system's calls are noted, and made."""
    calls: list[tuple[str, int, int]] = []
    sync, rename = os.fsync, os.replace

    def note_sync(descriptor: int) -> None:
        sync(descriptor)
        synced = os.fstat(descriptor)
        calls.append(("synced", synced.st_ino, synced.st_size))

    def note_rename(path: str | Path, to: str | Path) -> None:
        renamed = Path(path).stat()
        calls.append(("renamed", renamed.st_ino, renamed.st_size))
        rename(path, to)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    found = landed(tmp_path, raw(ROW)).path.stat()
    of_the_file = [call for call in calls if call[1] == found.st_ino]
    assert of_the_file == [(name, found.st_ino, found.st_size) for name in ("synced", "renamed")]


def test_a_disk_that_becomes_full_leaves_no_half_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataDirError):
        landed(tmp_path, raw(ROW))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
