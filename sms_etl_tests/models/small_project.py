"""The files of a project of two models, and what the fixtures are called with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sms_etl.models.project import Project

Files = Mapping[str, str | None]
SOURCES = {"raw.sms": {"uuid": "varchar", "price": "decimal(18,6)", "currency": "varchar"}}
STAGING = """
models:
  - name: stg_sms
    description: One row a message.
    owner: messaging
    grain: [uuid]
    columns:
      - {name: uuid, type: varchar, description: key}
      - {name: price, type: "decimal(18,6)", description: price}
"""
MARTS = """
models:
  - name: spent
    description: One row.
    owner: finance
    grain: [cost]
    columns:
      - {name: cost, type: "decimal(38,6)", description: sum}
"""
FILES = {
    "staging/_models.yml": STAGING,
    "staging/stg_sms.sql": "select\n    sms.uuid,\n    sms.price\nfrom raw.sms as sms\n",
    "marts/_models.yml": MARTS,
    "marts/spent.sql": (
        "with sms as (\n    select * from staging.stg_sms\n)\n\nselect sum(sms.price) as cost from sms\n"
    ),
}


class Write(Protocol):
    """Write the project of FILES, changed by the files given; None leaves one out."""

    def __call__(self, files: Files | None = None) -> Path: ...


class Load(Protocol):
    """Write and read that project."""

    def __call__(self, files: Files | None = None, seeds: Path | None = None) -> Project: ...
