"""What a load makes of a message that is stored: it is updated, marked gone, and back again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sms_etl.clock import as_utc, fixed_clock
from sms_etl.sync.landing.writer import write_staged
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.loading.load import load
from sms_etl.sync.streams import SMS
from sms_etl.warehouse.store import Transaction, Warehouse
from sms_etl_tests.providers.lox24.rows import HIDDEN, ROW, UUID, raw
from sms_etl_tests.sync.manifests import manifest_of

NOW = datetime(2026, 1, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Loader:
    """Loads what the provider shows, in one transaction."""

    transaction: Transaction
    folder: Path

    def load(self, *rows: bytes, at: datetime, gone: tuple[str, ...] = ()) -> LoadCounts:
        window = manifest_of(
            observed_by="settle", since=None, until=None, advances_watermark=False, fetched_at=at
        )
        page = msgspec.json.encode([msgspec.Raw(row) for row in rows])
        landed = write_staged(self.folder, SMS.layout, window, page, gone, HIDDEN).commit()
        counts, _ = load(self.transaction, SMS, [landed], run_id=window.run_id, now=at)
        return counts

    def stored(self) -> tuple[Any, ...]:
        """Return when the message changed, was seen, and was gone."""
        return self.transaction.row("select changed_at, last_seen_at, gone_at from raw.sms", [])


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loader]:
    with Warehouse(f"duckdb:///{tmp_path}/w.duckdb", fixed_clock(NOW)).begin() as transaction:
        yield Loader(transaction, tmp_path / "landing")


def test_a_message_that_reappears_is_gone_no_longer(loader: Loader) -> None:
    loader.load(raw(ROW), at=NOW)
    assert loader.load(gone=(UUID,), at=NOW + HOUR).rows_gone == 1
    assert loader.stored() == (as_utc(NOW + HOUR), as_utc(NOW), as_utc(NOW + HOUR))
    assert loader.load(raw(ROW), at=NOW + 2 * HOUR).rows_changed == 1
    assert loader.stored() == (as_utc(NOW + 2 * HOUR), as_utc(NOW + 2 * HOUR), None)


def test_a_message_stays_gone_since_it_was_first_answered_so(loader: Loader) -> None:
    loader.load(raw(ROW), at=NOW)
    loader.load(gone=(UUID,), at=NOW + HOUR)
    assert loader.load(gone=(UUID,), at=NOW + 2 * HOUR).rows_gone == 0
    assert loader.stored() == (as_utc(NOW + HOUR), as_utc(NOW), as_utc(NOW + HOUR))


def test_a_message_that_is_shown_as_it_was_is_seen_and_not_changed(loader: Loader) -> None:
    loader.load(raw(ROW), at=NOW)
    counts = loader.load(raw(ROW), at=NOW + HOUR)
    assert (counts.rows_new, counts.rows_changed) == (0, 0)
    assert loader.stored() == (as_utc(NOW), as_utc(NOW + HOUR), None)
