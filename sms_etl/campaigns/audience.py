"""Reads a campaign's recipients from the warehouse: the numbers that an analyst's query returns, read-only.

Numbers are there under SMS_ETL_PII=keep only. Otherwise hashes are, which nobody can be written to by.
"""

from dataclasses import replace

import duckdb

from sms_etl.campaigns.recipients import Recipients, number_columns, recipients_of
from sms_etl.errors import CampaignRefused, QueryError
from sms_etl.pii.policy import PiiPolicy
from sms_etl.settings import Settings
from sms_etl.warehouse.read import open_query

_QUOTES_NO_ROW = (duckdb.ParserException, duckdb.CatalogException, duckdb.BinderException)
"""Errors that a query itself is to blame for; any other may quote what a row holds."""


def read_audience(sql: str, settings: Settings, country: str) -> Recipients:
    """Run a query on the warehouse, and return the numbers of its column `phone`, or of its only column.

    Args:
        sql: One SELECT.
        settings: Under `keep`.
        country: As in `read_recipients`.

    Raises:
        CampaignRefused: The warehouse keeps no numbers, or the query has no column of them.
        QueryError: It is more or other than one query, or DuckDB refused it.
        NoWarehouse: Nothing was loaded yet.
    """
    if settings.pii is not PiiPolicy.KEEP:
        raise CampaignRefused(
            f"--audience needs numbers, and under SMS_ETL_PII={settings.pii.value} the warehouse keeps none.",
            hint="Give --recipients FILE.csv with numbers from the system you keep them in. With "
            "SMS_ETL_PII=keep, which whoever answers for data protection has to agree to, numbers are kept "
            "from then on (docs/personal-data.md).",
        )
    try:
        with open_query(sql, settings, is_of_warehouse=True) as (columns, rows):
            places = _places(columns)
            numbered = ((number, _text(row[places[0]])) for number, row in enumerate(rows, start=1))
            names = [columns[place] for place in places]
            return replace(recipients_of(numbered, country), column=names[0], other_columns=tuple(names[1:]))
    except QueryError as exc:
        if exc.__cause__ is None or isinstance(exc.__cause__, (*_QUOTES_NO_ROW, duckdb.PermissionException)):
            raise
        raise QueryError(
            f"The query of --audience was refused: {type(exc.__cause__).__name__}.",
            hint="What DuckDB says may quote a number, so it is not shown here; `sms-etl query --warehouse` "
            "shows it.",
        ) from None


def _places(columns: tuple[str, ...]) -> list[int]:
    places = number_columns(columns) or ([0] if len(columns) == 1 else [])
    if places:
        return places
    raise CampaignRefused(
        "--audience: none of the query's columns is called phone.",
        hint="Such as: --audience \"select phone from raw.sms where iso2 = 'DE'\".",
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
