"""Manifests of windows, as tests need them."""

from datetime import UTC, datetime
from typing import Any

from sms_etl.sync.landing.files import WindowManifest, new_window_id
from sms_etl.sync.streams import SMS, Stream


def manifest_of(stream: Stream = SMS, **changed: Any) -> WindowManifest:
    """Return the manifest of a window that was read going forward and holds all times until 2027."""
    usual: dict[str, Any] = {
        "window_id": new_window_id(),
        "run_id": new_window_id(),
        "stream": stream.name,
        "observed_by": "poll",
        "since": 0,
        "until": 1_800_000_000,
        "advances_watermark": True,
        "currency": "EUR",
        "fetched_at": datetime(2026, 1, 31, tzinfo=UTC),
        "pages": 1,
        "attempts": 1,
    }
    return WindowManifest(**(usual | changed))
