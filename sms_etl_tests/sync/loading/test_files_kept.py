"""Holds what is written of a landed file that cannot be loaded, and which file takes the place of another."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sms_etl.clock import as_utc, from_unix
from sms_etl.sync.loading.unloadable import (
    close_file,
    names_of_quarantined_files,
    quarantine_file,
    quarantined_files,
)
from sms_etl.sync.plan import Span
from sms_etl.sync.streams import BULKS, SMS, Stream
from sms_etl_tests.sync.loading.conftest import NOW, Loader

RUN = UUID(int=7)
SPAN = Span(100, 200)


def keep(
    loader: Loader, name: str, span: Span | None = SPAN, *, stream: Stream = SMS, hours: int = 0
) -> None:
    quarantine_file(
        loader.transaction,
        stream,
        Path("landing") / name,
        "A landed file is damaged",
        span=span,
        run_id=RUN,
        now=NOW + timedelta(hours=hours),
    )


def waiting(loader: Loader) -> list[tuple[str, Span | None]]:
    return [(file.name, file.span) for file in quarantined_files(loader.transaction)]


def test_a_file_waits_with_its_run_its_stream_and_its_span(loader: Loader) -> None:
    keep(loader, "a", stream=BULKS)
    [file] = quarantined_files(loader.transaction)
    assert (file.run_id, file.stream, file.name, file.span) == (RUN, BULKS, "a", SPAN)
    kept = loader.transaction.row(
        "select kind, reason, quarantined_at, since_at, until_at, landed from ops.quarantine"
    )
    reason = "A landed file is damaged"
    assert kept == ("file", reason, as_utc(NOW), from_unix(100), from_unix(200), "a")


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("20260131T000000000000-0000000100_0000000200-00000000-0000-4000-8000-000000000001.parquet", SPAN),
        ("20260131T000000000000-uuids-00000000-0000-4000-8000-000000000001.parquet", None),
        ("foreign.parquet", None),
    ],
)
def test_where_a_file_cannot_be_read_its_name_may_tell_its_span(
    loader: Loader, name: str, span: Span | None
) -> None:
    keep(loader, name, None)
    assert waiting(loader) == [(name, span)]


def test_files_wait_oldest_first(loader: Loader) -> None:
    for name, hours in (("c", 1), ("b", 2), ("a", 2), ("d", 0)):
        keep(loader, name, None, hours=hours)
    assert [name for name, _ in waiting(loader)] == ["d", "c", "a", "b"]


@pytest.mark.parametrize(
    ("later", "stream", "is_replaced"),
    [
        (SPAN, SMS, True),
        (Span(99, 201), SMS, True),
        (SPAN, BULKS, False),
        (Span(101, 200), SMS, False),
        (Span(100, 199), SMS, False),
        (None, SMS, False),
    ],
)
def test_a_file_takes_the_place_of_an_older_one_whose_seconds_it_holds(
    loader: Loader, later: Span | None, stream: Stream, is_replaced: bool
) -> None:
    keep(loader, "older")
    keep(loader, "later", later, stream=stream, hours=1)
    assert [name for name, _ in waiting(loader)] == (["later"] if is_replaced else ["older", "later"])


def test_a_file_of_no_known_span_is_replaced_by_none(loader: Loader) -> None:
    keep(loader, "foreign", None)
    keep(loader, "later", Span(0, 2_000_000_000))
    assert {name for name, _ in waiting(loader)} == {"foreign", "later"}


def test_a_closed_file_waits_no_more_and_is_not_forgotten(loader: Loader) -> None:
    keep(loader, "a")
    [file] = quarantined_files(loader.transaction)
    close_file(loader.transaction, file, NOW)
    assert waiting(loader) == []
    assert names_of_quarantined_files(loader.transaction, SMS) == {"a"}
    assert names_of_quarantined_files(loader.transaction, BULKS) == set()


def test_an_accepted_file_waits_no_more(loader: Loader) -> None:
    keep(loader, "a")
    loader.transaction.run("update ops.quarantine set accepted_at = now()::timestamp")
    assert waiting(loader) == []


def test_a_file_that_waits_or_is_closed_makes_models_out_of_date(loader: Loader) -> None:
    steps: list[Any] = [
        lambda: keep(loader, "a"),
        lambda: close_file(loader.transaction, quarantined_files(loader.transaction)[0], NOW),
    ]
    for step in steps:
        loader.transaction.run("delete from ops.build_context")
        loader.note_build()
        step()
        assert not loader.are_models_current()
