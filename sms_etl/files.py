"""Folders, and what may go wrong with them."""

from pathlib import Path

from sms_etl.errors import DataDirError


def make_directory(path: Path) -> None:
    """Make a folder, with those above it.

    Raises:
        DataDirError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataDirError(
            f"The folder {path} cannot be made: {exc.strerror}.",
            hint="Give SMS_ETL_DATA_DIR a folder you may write to.",
        ) from exc
