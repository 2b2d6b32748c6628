"""Books what changed in closed months, once, to the first month behind them that is open."""

from datetime import datetime

import duckdb

from sms_etl.clock import as_utc
from sms_etl.finance.period import first_of_month
from sms_etl.finance.queries import Queries

_HAS_CLOSED = "select exists(select 1 from finance.closed_period)"


def book_corrections(connection: duckdb.DuckDBPyConnection, now: datetime) -> int:
    """Write what changed in closed months since they were closed and since it was last looked at.

    What was closed and all corrections of it together are what the messages say now, to the last digit: a
    change that is taken back gives a second correction, which cancels the first.

    Args:
        connection: To the warehouse, in a transaction, with models that passed their checks.
        now: The present moment, with a time zone: stamps them.

    Returns:
        How many were written.
    """
    if connection.execute(_HAS_CLOSED).fetchall() == [(False,)]:
        return 0
    connection.execute(f"set variable detected_at = timestamp '{as_utc(now).isoformat()}'")
    queries = Queries(connection, first_of_month(now.date()))
    return queries.insert("finance.correction", "closing/corrections_due")
