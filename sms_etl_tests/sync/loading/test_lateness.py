"""Holds which messages count as late, and which of them teach the overlap."""

import pytest

from sms_etl.clock import from_unix
from sms_etl.sync.plan import Purpose
from sms_etl_tests.sync.loading.conftest import Loader, message
from sms_etl_tests.sync.raw_provider import BEGINNING as BEGIN
from sms_etl_tests.sync.raw_provider import uuid_of

NEWEST = message(1, BEGIN + 60)


def late(loader: Loader) -> list[tuple[object, ...]]:
    return loader.transaction.native.execute(
        "select cast(uuid as varchar), created_at, watermark_at, purpose from ops.late_row"
    ).fetchall()


@pytest.mark.parametrize(
    ("purpose", "is_noted", "is_counted"),
    [
        (Purpose.FORWARD, True, True),
        (Purpose.RECONCILE, True, True),
        (Purpose.BACKFILL, True, False),
        (Purpose.REPLAY, True, False),
        (Purpose.SETTLE, False, False),
    ],
)
def test_a_new_message_before_the_watermark_is_noted_and_counts_if_it_was_asked_for_before(
    loader: Loader, purpose: Purpose, is_noted: bool, is_counted: bool
) -> None:
    loader.load(NEWEST)
    counts = loader.load(NEWEST, message(2, BEGIN), purpose=purpose)
    assert counts.rows_late == is_counted
    row = (uuid_of(2), from_unix(BEGIN), from_unix(BEGIN + 60), purpose.value)
    assert late(loader) == ([row] if is_noted else [])


def test_neither_the_first_messages_nor_known_ones_nor_those_at_the_watermark_are_late(
    loader: Loader,
) -> None:
    loader.load(message(2, BEGIN), NEWEST)
    assert loader.load(message(2, BEGIN), NEWEST, message(3, BEGIN + 60)).rows_late == 0
    assert loader.load().rows_late == 0
    assert late(loader) == []
