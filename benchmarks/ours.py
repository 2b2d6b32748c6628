"""One `sms-etl sync --no-build --json` against a page server, measured from outside."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import Measured, Server, measure

CONCURRENCY = 8


@dataclass(frozen=True)
class Synced:
    """What a sync took, and what it says of itself."""

    measured: Measured
    result: Mapping[str, Any]
    asked: Mapping[str, int]
    """Requests by kind, as the server counted them."""


def settings_for(server: Server, data_dir: Path, now: int) -> dict[str, str]:
    """Give the environment of a sync at a moment (unix seconds)."""
    return {
        "SMS_ETL_LOX24_BASE_URL": server.url,
        "SMS_ETL_LOX24_TOKEN": "1:bench",
        "SMS_ETL_DATA_DIR": str(data_dir),
        "SMS_ETL_CONCURRENCY": str(CONCURRENCY),
        "SMS_ETL_NOW": datetime.fromtimestamp(now, tz=UTC).isoformat(),
        "SMS_ETL_ENV_FILE": os.devnull,
    }


def sync(server: Server, data_dir: Path, now: int) -> Synced:
    """Run a sync in its own process.

    Raises:
        MeasuredProgramError: It failed.
    """
    server.tell("asked")
    command = [sys.executable, "-m", "sms_etl", "sync", "--no-build", "--json"]
    data_dir.mkdir(parents=True, exist_ok=True)
    measured = measure(command, settings_for(server, data_dir, now), directory=data_dir)
    return Synced(measured, json.loads(measured.printed), server.tell("asked")["asked"])
