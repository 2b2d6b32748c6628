"""Knows which publication the Parquet files and PostgreSQL hold, and asks neither: `status` must be quick.

Parquet files name their publication beside them. What PostgreSQL got last is noted here; what somebody did
there since is not known, and the next sync compares.
"""

import json
from datetime import datetime

from sms_etl.files import write_private
from sms_etl.settings import Settings

PARQUET_DONE = ".published_at"
"""Names the publication that all Parquet files are of; removed first and written last."""
_NOTE_FILE = "copies.json"


def is_parquet_current(settings: Settings, published_at: datetime) -> bool:
    """Return whether the Parquet files are those of a publication."""
    try:
        return (settings.parquet_path / PARQUET_DONE).read_text() == str(published_at)
    except OSError:
        return False


def note_postgres(settings: Settings, published_at: datetime) -> None:
    """Note that PostgreSQL holds a publication.

    Raises:
        DataDirError: It cannot be written.
    """
    if _noted(settings) != str(published_at):
        content = json.dumps({"postgres": str(published_at)})
        write_private(settings.data_dir / _NOTE_FILE, content.encode())


def behind(settings: Settings, published_at: datetime) -> tuple[str, ...]:
    """Return which of the wanted copies are not known to hold a publication: `Parquet`, `PostgreSQL`.

    Args:
        settings: Say which are wanted.
        published_at: The moment of the publication, in UTC without a time zone.
    """
    is_parquet_behind = settings.publish_parquet and not is_parquet_current(settings, published_at)
    is_postgres_behind = settings.publish_to is not None and _noted(settings) != str(published_at)
    return (*(["Parquet"] if is_parquet_behind else []), *(["PostgreSQL"] if is_postgres_behind else []))


def _noted(settings: Settings) -> str | None:
    """Return the moment of the publication that PostgreSQL got last; None if that is not known."""
    try:
        noted = json.loads((settings.data_dir / _NOTE_FILE).read_bytes())
        return str(noted["postgres"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
