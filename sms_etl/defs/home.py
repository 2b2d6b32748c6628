"""Where Dagster's instance of a data directory lies. Imports no Dagster: commands ask before they do."""

import os
from importlib.resources import files
from pathlib import Path

from sms_etl.files import make_directory, write_private
from sms_etl.settings import Settings

_CONFIG = "dagster.yaml"
WORKSPACE = "workspace.yaml"
"""Names what is loaded, by the name it has everywhere: another one would have a history of its own."""


def dagster_home(settings: Settings) -> Path:
    """Return where the instance of a data directory lies, unless DAGSTER_HOME names another."""
    return settings.data_dir / "dagster"


def home_in_use(settings: Settings) -> Path | None:
    """Return the home that DAGSTER_HOME names, else that of the data directory; None if nobody made it."""
    home = Path(os.environ.get("DAGSTER_HOME") or dagster_home(settings))
    return home if (home / _CONFIG).exists() else None


def make_home(settings: Settings) -> Path:
    """Make the instance of a data directory: one writer at a time, no telemetry.

    Raises:
        DataDirError: It cannot be made.
    """
    home = dagster_home(settings)
    make_directory(home)
    for name in (_CONFIG, WORKSPACE):
        write_private(home / name, (files("sms_etl") / "defs" / name).read_bytes())
    return home
