"""Tells which campaigns may have been sent or not: the provider was asked, and its answer is not known."""

import duckdb

from sms_etl.errors import WarehouseError
from sms_etl.settings import Settings
from sms_etl.warehouse.read import newest

_UNCLEAR = "select key from ops.campaign where state = 'intended' order by asked_at, key"


def unclear_campaigns(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return their keys, the oldest first."""
    return tuple(key for (key,) in connection.execute(_UNCLEAR).fetchall())


def unclear_now(settings: Settings) -> tuple[str, ...]:
    """Return their keys by the warehouse, which knows of campaigns since it was published.

    While something writes it, the published copy is read; if that cannot be either, none is returned: what is
    told beside figures must not keep anybody from them.
    """
    try:
        with newest(settings) as connection:
            return unclear_campaigns(connection)
    except (WarehouseError, duckdb.Error, OSError):
        return ()
