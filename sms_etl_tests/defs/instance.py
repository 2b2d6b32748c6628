"""An environment of our own, and an instance of Dagster as the packaged dagster.yaml makes it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import dagster as dg
import pytest

from sms_etl.sandbox.life.account import AccountParameters
from sms_etl.settings import PREFIX

SMALL = AccountParameters(
    seed=7, messages=400, days=12, days_after=1, end=datetime(2026, 1, 31, 12, tzinfo=UTC)
)


@dataclass(frozen=True)
class Run:
    """A finished run of `sms_pipeline`."""

    result: dg.ExecuteInProcessResult
    home: Path
    """Its DAGSTER_HOME."""
    data_dir: Path
    log_records: list[logging.LogRecord]
    """What Python's root logger was given meanwhile, from INFO on."""


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def environment(directory: Path, **values: str) -> Iterator[None]:
    """None of our variables but these, and no `.env`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith((PREFIX, "DAGSTER_"))]:
            patch.delenv(name)
        for name, value in {"ENV_FILE": os.devnull, **values}.items():
            patch.setenv(PREFIX + name, value)
        patch.chdir(directory)
        yield


@contextmanager
def packaged_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as the packaged dagster.yaml makes it."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text((files("sms_etl.defs") / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@contextmanager
def instance_in_memory(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that ends with the block: for what reads no file of it, and in less time.

    Dagster writes every event of a run by itself, in up to three transactions of SQLite.
    """
    home.mkdir(exist_ok=True)
    with dg.DagsterInstance.ephemeral(tempdir=str(home)) as instance:
        yield instance
