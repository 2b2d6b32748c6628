"""Runs `sms-etl` against a page server, measured from outside: a sync, its build included or not; status."""

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
_SMS_ETL = (sys.executable, "-m", "sms_etl")


@dataclass(frozen=True)
class Synced:
    """What a sync took, and what it says of itself."""

    measured: Measured
    result: Mapping[str, Any]
    asked: Mapping[str, int]
    """Requests by kind, as the server counted them."""


def settings_for(server: Server, data_dir: Path, now: int) -> dict[str, str]:
    """Return the environment of a sync at a moment (unix seconds)."""
    return {
        "SMS_ETL_LOX24_BASE_URL": server.url,
        "SMS_ETL_LOX24_TOKEN": "1:bench",
        "SMS_ETL_DATA_DIR": str(data_dir),
        "SMS_ETL_CONCURRENCY": str(CONCURRENCY),
        "SMS_ETL_NOW": datetime.fromtimestamp(now, tz=UTC).isoformat(),
        "SMS_ETL_ENV_FILE": os.devnull,
    }


def sync(server: Server, data_dir: Path, now: int, *, is_building: bool = False) -> Synced:
    """Run a sync in its own process.

    Args:
        server: To read from.
        data_dir: To load into.
        now: The moment of the sync, unix seconds.
        is_building: Whether what follows the load is measured too.

    Raises:
        MeasuredProgramError: It failed.
    """
    server.tell("asked")
    command = [*_SMS_ETL, "sync", "--json", *([] if is_building else ["--no-build"])]
    data_dir.mkdir(parents=True, exist_ok=True)
    measured = measure(command, settings_for(server, data_dir, now), directory=data_dir)
    return Synced(measured, json.loads(measured.printed), server.tell("asked")["asked"])


def status(data_dir: Path) -> Measured:
    """Run `sms-etl status` in its own process."""
    return measure([*_SMS_ETL, "status"], {"SMS_ETL_DATA_DIR": str(data_dir)}, directory=data_dir)
