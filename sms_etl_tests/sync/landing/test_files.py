"""Holds which files of the landing folder are loaded, and why the others are not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sms_etl.sync.landing.files import METADATA_KEY, Landed, find_landed, name_of, span_of
from sms_etl.sync.landing.writer import OPTIONAL_COLUMNS, write_staged
from sms_etl.sync.plan import Purpose, Span
from sms_etl.sync.streams import SMS
from sms_etl_tests.providers.lox24.rows import HIDDEN, ROW, raw
from sms_etl_tests.sync.manifests import manifest_of

A_UUID = "0191ab12-7f10-11ef-8000-0242ac120002"


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    page = b"[%b]" % raw(ROW)
    return write_staged(tmp_path, SMS.layout, manifest_of(), page, (), HIDDEN).commit()


def reasons(folder: Path) -> list[str]:
    return [file.reason for file in find_landed(folder, SMS, but_not=set()).unreadable]


def rewrite(
    landed: Landed, change: Callable[[pa.Table], pa.Table] = lambda table: table, **told: Any
) -> None:
    """Write a file anew with other columns, or with a manifest that says something else."""
    manifest = msgspec.json.encode(msgspec.structs.replace(landed.manifest, **told))
    table = change(pq.read_table(landed.path))
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: manifest}), landed.path)


@pytest.mark.parametrize(
    ("name", "span"),
    [
        (f"20260131T120000000000-0000000010_0000000020-{A_UUID}.parquet", Span(10, 20)),
        (f"20260131T120000000000-0000000020_0000000010-{A_UUID}.parquet", None),
        (f"20260131T120000000000-0000000010_9999999999999-{A_UUID}.parquet", None),
        (f"20260131T120000000000-uuids-{A_UUID}.parquet", None),
        (f"20260131T120000000000-{A_UUID}.parquet", None),
        ("another.parquet", None),
    ],
)
def test_a_name_tells_the_span_that_was_read(name: str, span: Span | None) -> None:
    assert span_of(name) == span


def test_the_span_in_the_name_of_a_file_is_that_of_its_window() -> None:
    assert span_of(name_of(manifest_of(since=10, until=20))) == Span(10, 20)
    assert span_of(name_of(manifest_of(since=None, until=None))) is None


@pytest.mark.parametrize(("name", "advances"), [("0000000010_0000000020-", True), ("", False)])
def test_behind_a_file_that_may_hold_any_span_the_watermark_is_not_moved(
    landed: Landed, name: str, advances: bool
) -> None:
    (landed.path.parent / f"20200101T120000000000-{name}{A_UUID}.parquet").touch()
    (file,) = find_landed(landed.path.parents[1], SMS, but_not=set()).whole
    assert file.manifest.advances_watermark is advances


def test_a_link_is_no_landed_file(landed: Landed, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    landed.path.rename(elsewhere)
    landed.path.symlink_to(elsewhere)
    assert reasons(tmp_path) == ["A landed file is a link, a folder or another thing that is no file"]


def test_a_file_of_another_name_is_not_ours(landed: Landed, tmp_path: Path) -> None:
    shutil.move(landed.path, landed.path.with_name("another.parquet"))
    assert reasons(tmp_path) == ["A file in the landing folder has no landed file's name"]


def test_a_file_without_a_column_is_loaded_only_if_older_versions_wrote_it_so(
    landed: Landed, tmp_path: Path
) -> None:
    rewrite(landed, lambda table: table.drop_columns(sorted(OPTIONAL_COLUMNS)))
    assert reasons(tmp_path) == []
    rewrite(landed, lambda table: table.drop_columns(["uuid"]))
    assert reasons(tmp_path) == ["A landed file lacks the column uuid"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"stream": "bulks"}, "A landed file lies in the folder of another stream"),
        ({"currency": "euro"}, "A landed file names no currency"),
        ({"since": 20, "until": 10}, "A landed file says a span of time that is none"),
        ({"since": -1}, "A landed file says a span of time that is none"),
        ({"since": None}, "A landed file says a span of time that is none"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_not_loaded(
    landed: Landed, tmp_path: Path, told: dict[str, Any], reason: str
) -> None:
    rewrite(landed, **told)
    assert reasons(tmp_path) == [reason]


def test_what_an_older_version_did_not_write_counts_as_nothing() -> None:
    manifest = manifest_of()
    assert (manifest.rows, manifest.rows_bad, manifest.prices_rounded) == (0, 0, 0)
    assert (manifest.purpose, manifest.is_pruned) == (None, False)


@pytest.mark.parametrize(
    ("told", "purpose"),
    [
        ({"purpose": Purpose.FORWARD}, Purpose.FORWARD),
        ({"observed_by": "settle"}, Purpose.SETTLE),
        ({}, Purpose.BACKFILL),
        ({"since": None, "until": None}, Purpose.REPLAY),
    ],
)
def test_a_file_without_a_purpose_has_one_that_teaches_no_lateness(
    told: dict[str, Any], purpose: Purpose
) -> None:
    assert manifest_of(**told).why_read is purpose
