"""Published copies of a few inline rows, made without a pipeline, to be read and copied further."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import duckdb

from sms_etl.settings import Settings
from sms_etl.warehouse.store import STORAGE_VERSION

Row = tuple[date | None, str, Decimal | None, str | None]
"""Day, currency, price, sender."""
JANUARY, FEBRUARY = date(2026, 1, 31), date(2026, 2, 1)
ROWS: list[Row] = [
    (JANUARY, "EUR", Decimal("0.1"), "Shop"),
    (JANUARY, "EUR", Decimal("999999999999.999999"), '=cmd|"x",\'\n\\N'),
    (FEBRUARY, "EUR", Decimal("0.2"), ""),
    (FEBRUARY, "USD", None, None),
    (None, "EUR", Decimal("0.000001"), "a\x00b 😀"),
]
_TABLES = """
create schema marts; create schema ops;
create table ops.publication (published_at timestamp); create table ops.account (account_id varchar);
create table marts.dim_country (country_code varchar, country_name varchar);
insert into marts.dim_country values ('DE', 'Germany');
create table marts.fct_sms (
    uuid uuid, created_at timestamp, business_day date, currency varchar, price decimal(18, 6),
    sender_id varchar, parts hugeint, is_final boolean
);
comment on table marts.fct_sms is 'One row a message; it''s the newest state.';
comment on column marts.fct_sms.price is 'whole message, net of VAT';
"""


def publish_rows(
    settings: Settings, rows: Sequence[Row] = ROWS, *, at: int = 1, account: str = "7", sql: str = ""
) -> None:
    """Make the published copy of some rows; a later one has a larger `at`."""
    path = settings.published_path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{path}' as made (storage_version '{STORAGE_VERSION}')")
        connection.execute("use made")
        connection.execute(_TABLES)
        connection.execute("insert into ops.publication values (?)", [f"2026-03-01 00:00:{at:02}"])
        connection.execute("insert into ops.account values (?)", [account])
        for number, (day, currency, price, sender) in enumerate(rows):
            connection.execute(
                "insert into marts.fct_sms values (uuid '00000000-0000-0000-0000-000000000000', "
                "timestamp '2026-01-31 23:59:59.123456', ?, ?, ?, ?, 12345678901234567890123 + ?, true)",
                [day, currency, price, sender, number],
            )
        if sql:
            connection.execute(sql)
