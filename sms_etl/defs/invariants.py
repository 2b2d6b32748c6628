"""What must hold whoever ran what: checks that read only, and can be executed alone at any time."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import duckdb

from sms_etl.clock import as_utc
from sms_etl.defs.failures import sanitised_failures
from sms_etl.defs.publishing import PUBLISHED
from sms_etl.defs.relations import SMS
from sms_etl.defs.resources import SettingsParam
from sms_etl.overview.attention import STALE_AFTER
from sms_etl.settings import Settings
from sms_etl.warehouse.read import published

_Found = tuple[bool, dict[str, Any]]
_Judge = Callable[[duckdb.DuckDBPyConnection, datetime, Settings], _Found]
_READ_UP_TO = "select read_up_to from marts.data_status"
_PUBLISHED_AT = "select max(published_at) from ops.publication"
_TWICE = "select count(*) - count(distinct uuid) from marts.fct_sms"
_OPEN_TOO_LONG = """
select count(*) from marts.fct_sms
where not is_final and not is_aged_out and not is_gone and scheduled_at < $1
"""
_WILD = """
with usual as (
    select country_code, service_code, currency, quantile_disc(unit_price, 0.5) as price, count(*) as messages
    from marts.fct_sms where unit_price > 0 group by all
)
select count(*)
from marts.fct_sms as sms
inner join usual using (country_code, service_code, currency)
where usual.messages >= 20 and (sms.price < 0 or sms.unit_price > 10 * usual.price)
"""


def _watermark_lag(connection: duckdb.DuckDBPyConnection, now: datetime, _: Settings) -> _Found:
    return _is_young(connection, _READ_UP_TO, now)


def _copy_age(connection: duckdb.DuckDBPyConnection, now: datetime, _: Settings) -> _Found:
    return _is_young(connection, _PUBLISHED_AT, now)


def _is_young(connection: duckdb.DuckDBPyConnection, sql: str, now: datetime) -> _Found:
    ((moment,),) = connection.execute(sql).fetchall()
    if moment is None:
        return False, {"why": "there is none yet"}
    hours = (now - moment) / timedelta(hours=1)
    return now - moment <= STALE_AFTER, {"hours": round(hours, 2)}


def _none_twice(connection: duckdb.DuckDBPyConnection, _now: datetime, _: Settings) -> _Found:
    return _is_none(connection, _TWICE, [], "messages that are there twice")


def _none_open_too_long(connection: duckdb.DuckDBPyConnection, now: datetime, settings: Settings) -> _Found:
    oldest = now - timedelta(days=settings.settle_days + 1)
    return _is_none(connection, _OPEN_TOO_LONG, [oldest], "messages that should have been settled")


def _no_wild_price(connection: duckdb.DuckDBPyConnection, _now: datetime, _: Settings) -> _Found:
    return _is_none(connection, _WILD, [], "messages with a wild price")


def _is_none(connection: duckdb.DuckDBPyConnection, sql: str, values: list[object], what: str) -> _Found:
    ((number,),) = connection.execute(sql, values).fetchall()
    return number == 0, {what: number}


_CHECKS: dict[dg.AssetCheckKey, tuple[str, _Judge]] = {
    dg.AssetCheckKey(SMS, "watermark_is_young"): (
        "Messages were read up to a moment of the last 26 hours.",
        _watermark_lag,
    ),
    dg.AssetCheckKey(SMS, "no_message_is_there_twice"): (
        "A uuid is one row of `marts.fct_sms`.",
        _none_twice,
    ),
    dg.AssetCheckKey(SMS, "none_is_open_too_long"): (
        "What was sent SMS_ETL_SETTLE_DAYS and a day ago is final, has aged out, or is gone.",
        _none_open_too_long,
    ),
    dg.AssetCheckKey(SMS, "no_price_is_wild"): (
        "No price is negative, or a part ten times as dear as usual in its country, service and currency.",
        _no_wild_price,
    ),
    dg.AssetCheckKey(PUBLISHED, "copy_is_young"): (
        "Something was published in the last 26 hours.",
        _copy_age,
    ),
}


@dg.multi_asset_check(
    name="invariants",
    specs=[
        dg.AssetCheckSpec(key.name, asset=key.asset_key, description=description)
        for key, (description, _) in _CHECKS.items()
    ],
    can_subset=True,
)
def invariants(
    context: dg.AssetCheckExecutionContext, settings: SettingsParam
) -> Iterator[dg.AssetCheckResult]:
    """Read the published copy: nothing is locked, and nothing waits."""
    with sanitised_failures():
        loaded = settings.load()
        now = as_utc(loaded.clock())
        with published(loaded) as connection:
            found = {
                key: judge(connection, now, loaded)
                for key, (_, judge) in _CHECKS.items()
                if key in context.selected_asset_check_keys
            }
    for key, (is_passed, facts) in found.items():
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=is_passed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=facts,
        )
