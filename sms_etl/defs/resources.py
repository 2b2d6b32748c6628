"""What steps share: the settings, and the pool of all that writes the warehouse."""

import dagster as dg

from sms_etl.errors import SettingsError
from sms_etl.settings import Settings, load_settings

WRITER_POOL = "warehouse_writer"
"""One at a time: DuckDB lets one process write."""


EXECUTOR = dg.in_process_executor
"""A process a step would cost three seconds each, and DuckDB lets one process write."""


class SettingsSource:
    """Reads the settings from the environment when a step asks: definitions load without any."""

    def load(self) -> Settings:
        """Read them.

        Raises:
            SettingsError: A value is out of bounds.
        """
        return load_settings()


SettingsParam = dg.ResourceParam[SettingsSource]
"""The settings as a parameter of a step, by the name `settings`."""


def settings_or_defaults() -> Settings:
    """Return the settings; the defaults if one is wrong, which the first step of any run says."""
    try:
        return load_settings()
    except SettingsError:
        return Settings.model_construct()
