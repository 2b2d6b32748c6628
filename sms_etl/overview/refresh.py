"""Writes the overview anew after a publication, or a build that failed.

A page that cannot be drawn keeps no figures from anybody.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sms_etl.errors import PolicyNotApplied, SmsEtlError, UnknownModel, WarehouseLocked
from sms_etl.overview.write import write_overview
from sms_etl.settings import Settings
from sms_etl.warehouse.later_build import later_failure
from sms_etl.warehouse.open_campaigns import unclear_now
from sms_etl.warehouse.read import published

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refreshed:
    """Where the overview is, or why it was not written."""

    html: Path | None
    error: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return it as plain JSON values, to stand among those of a publication."""
        return {"overview": str(self.html) if self.html else None, "overview_error": self.error}


def refresh_if_published(settings: Settings, check_words: Callable[[str], str] = str) -> Refreshed | None:
    """Write the overview anew if anything was ever published, to tell of a build that is not."""
    return refresh_overview(settings, check_words) if settings.published_path.exists() else None


@contextmanager
def telling_of_error(settings: Settings, check_words: Callable[[str], str] = str) -> Iterator[None]:
    """Write the overview anew if a build ends in an error: its figures are older than they might be."""
    try:
        yield
    except (WarehouseLocked, PolicyNotApplied, UnknownModel):
        raise  # nothing was begun
    except Exception:
        refresh_if_published(settings, check_words)
        raise


@contextmanager
def telling_of_campaigns(settings: Settings) -> Iterator[None]:
    """Write the overview anew if it becomes known, or unknown, whether a campaign was sent."""
    before = unclear_now(settings)
    try:
        yield
    finally:
        if unclear_now(settings) != before:
            refresh_if_published(settings)


def refresh_overview(settings: Settings, check_words: Callable[[str], str] = str) -> Refreshed:
    """Write the overview of the published copy; if that fails, log a warning and return why.

    Whatever is wrong, what was published stays published: no error is raised.

    Args:
        settings: Whose copy.
        check_words: Puts the name of a check that failed in words.
    """
    try:
        with published(settings) as connection:
            result = write_overview(
                connection,
                settings.reports_dir,
                generated_at=settings.clock(),
                later=later_failure(settings),
                check_words=check_words,
                unclear=unclear_now(settings),
            )
    except SmsEtlError as exc:
        error = exc.message
    except Exception as exc:  # noqa: BLE001 - a page must not fail a sync; what the error says may quote a row
        error = type(exc).__name__
    else:
        return Refreshed(result.html)
    _log.warning(
        "The overview was not written: %s. `sms-etl report --overview` tries again.", error.rstrip(".")
    )
    return Refreshed(None, error)
