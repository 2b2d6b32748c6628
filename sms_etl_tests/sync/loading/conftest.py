"""Loads rows that a test writes down, in one transaction, without a provider and without a sync."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from sms_etl.sync.landing.files import Landed
from sms_etl.sync.landing.writer import write_staged
from sms_etl.sync.loading.counts import LoadCounts
from sms_etl.sync.loading.load import load
from sms_etl.sync.loading.missing import Missing
from sms_etl.sync.plan import Purpose
from sms_etl.sync.streams import SMS, Stream
from sms_etl.warehouse.store import Transaction
from sms_etl_tests.providers.lox24.rows import HIDDEN, ROW, raw
from sms_etl_tests.sync.manifests import manifest_of
from sms_etl_tests.sync.raw_provider import uuid_of

NOW = datetime(2026, 1, 31, tzinfo=UTC)
BY_UUID: dict[str, Any] = {
    "since": None,
    "until": None,
    "observed_by": "settle",
    "purpose": Purpose.SETTLE,
    "advances_watermark": False,
}


def message(number: int, second: int, **literals: str) -> bytes:
    """Return the n-th message, created at a unix second; of other fields the JSON is given."""
    return raw(ROW, uuid=f'"{uuid_of(number)}"', created_at=str(second), **literals)


@dataclass
class Loader:
    """Loads what the provider shows, in one transaction."""

    transaction: Transaction
    folder: Path

    def land(self, *rows: bytes, gone: tuple[str, ...] = (), stream: Stream = SMS, **manifest: Any) -> Landed:
        """Land a window; without more said, it was read going forward and holds all times."""
        window = manifest_of(stream, **({"purpose": Purpose.FORWARD} | manifest))
        page = msgspec.json.encode([msgspec.Raw(row) for row in rows])
        return write_staged(self.folder, stream.layout, window, page, gone, HIDDEN).commit()

    def load_files(
        self,
        *files: Landed,
        stream: Stream = SMS,
        run_id: UUID | None = None,
        now: datetime = NOW,
        is_late: bool = False,
    ) -> tuple[LoadCounts, Missing]:
        return load(self.transaction, stream, files, run_id=run_id or uuid4(), now=now, is_late=is_late)

    def load(self, *rows: bytes, **manifest: Any) -> LoadCounts:
        """Land a window and load it."""
        return self.load_files(self.land(*rows, **manifest))[0]

    def note_build(self) -> None:
        """Write that the models show what is loaded."""
        self.transaction.run(
            "insert into ops.build_context (as_of_at, timezone, settle_days, built_at, is_current) "
            "values (now(), 'UTC', 3, now(), true)"
        )

    def are_models_current(self) -> bool:
        (is_current,) = self.transaction.row("select is_current from ops.build_context")
        return bool(is_current)


@pytest.fixture
def loader(transaction: Transaction, tmp_path: Path) -> Loader:
    return Loader(transaction, tmp_path / "landing")
