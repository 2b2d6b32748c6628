"""Tells whether a build failed after the published copy was made: then analysts read older figures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from sms_etl.errors import WarehouseError
from sms_etl.settings import Settings
from sms_etl.warehouse.publication import build_error, failed_checks
from sms_etl.warehouse.read import newest, published

_FAILED_AT = "select max(tested_at) from ops.model_test where severity = 'error' and failures > 0"
_AS_OF = "select max(as_of_at) from ops.build_context"


@dataclass(frozen=True)
class LaterFailure:
    """A build that came after the published one, and is not published; times are UTC, without a time zone."""

    failed_at: datetime
    reasons: tuple[str, ...]
    """Checks that failed, as `failed_checks` says them, or that it ended in an error."""
    error: str | None
    """What error it ended in; None: checks failed."""
    published_as_of: datetime | None
    """The moment the published figures are of."""

    @property
    def why(self) -> str:
        """In one phrase."""
        return self.error or "; ".join(self.reasons)

    def in_words(self, words: Callable[[str], str]) -> "LaterFailure":
        """Return it with the names of its checks put in words."""
        return replace(self, reasons=tuple(map(words, self.reasons)))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; times are ISO 8601 with their offset."""
        as_of = self.published_as_of
        return {
            "failed_at": f"{self.failed_at.isoformat()}+00:00",
            "reasons": list(self.reasons),
            "error": self.error,
            "published_as_of": f"{as_of.isoformat()}+00:00" if as_of else None,
        }


def later_failure(settings: Settings) -> LaterFailure | None:
    """Compare the warehouse with its published copy.

    Returns:
        None if no later build failed, if there is no copy, or while the warehouse cannot be read: what is
        told beside figures must not keep anybody from them.
    """
    try:
        with published(settings) as connection:
            known = _failure(connection)
            ((as_of,),) = connection.execute(_AS_OF).fetchall()
        with newest(settings) as connection:  # the copy again, while something writes the warehouse
            latest = _failure(connection)
            if latest is None or latest == known:
                return None
            return LaterFailure(*latest, build_error(connection), as_of)
    except (WarehouseError, duckdb.Error, OSError):
        return None


def _failure(connection: duckdb.DuckDBPyConnection) -> tuple[datetime, tuple[str, ...]] | None:
    reasons = failed_checks(connection)
    if not reasons:
        return None
    ((failed_at,),) = connection.execute(_FAILED_AT).fetchall()
    return failed_at, reasons
