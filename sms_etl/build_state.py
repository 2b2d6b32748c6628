"""Tells whether a build would change anything since the last one. Parses no models: asking costs little."""

from datetime import UTC, timedelta

import duckdb

from sms_etl.clock import as_utc
from sms_etl.errors import WarehouseError
from sms_etl.models.files import project_digest
from sms_etl.settings import Settings
from sms_etl.warehouse.read import newest, published
from sms_etl.warehouse.store import Transaction

BUILDING = "building models"
"""What progress calls the step."""
_LOADED = """
select concat_ws(
    ' ',
    (select count(*) from raw.sms), (select sum(price) from raw.sms),
    (select count(*) from raw.bulk), (select sum(msg_total_cost) from raw.bulk)
)
"""
_CONTEXT = """
select as_of_at, built_at from ops.build_context
where is_current and timezone = $timezone and settle_days = $settle_days
    and project_digest = $project and loaded_digest = $loaded
    -- A build that ended in an error left its models, and the note that it failed.
    and not exists (select 1 from ops.model_test where severity = 'error' and failures > 0)
"""
_PUBLISHED = """
select built_at, (select arg_max(contents, published_at) from ops.publication) from ops.build_context
"""
# What becomes due or ages out without a word of the provider: both moments are compared as `fct_sms` does.
_OVERTAKEN = """
select exists(
    select 1 from marts.fct_sms
    where not is_final and (
        (scheduled_at > $as_of and scheduled_at <= $now)
        or (
            greatest(created_at, coalesce(scheduled_at, created_at)) + $settle_time >= $as_of
            and greatest(created_at, coalesce(scheduled_at, created_at)) + $settle_time < $now
        )
    )
)
"""


def loaded_digest(connection: duckdb.DuckDBPyConnection) -> str:
    """Return what shows that rows were added, removed or repriced by hand; a load marks its own changes."""
    ((digest,),) = connection.execute(_LOADED).fetchall()
    return str(digest)


def mark_stale(transaction: Transaction) -> None:
    """Note that the models no longer show what is loaded, in the transaction that changes it."""
    transaction.run("update ops.build_context set is_current = false where is_current")


def is_up_to_date(settings: Settings) -> bool:
    """Return whether models and published copy are what a build and a publication would make now.

    They are if nothing was loaded since a build that passed, models, seeds and settings are the same, no
    message became due or aged out meanwhile, and it is still the business day of the build: reports and
    freshness go by days.
    """
    try:
        with newest(settings) as connection:
            built_at = _current_build(connection, settings)
        if built_at is None:
            return False
        with published(settings) as connection:
            return connection.execute(_PUBLISHED).fetchone() == (built_at, settings.publish.value)
    except (WarehouseError, duckdb.Error, OSError):
        return False  # the build says what is wrong


def _current_build(connection: duckdb.DuckDBPyConnection, settings: Settings) -> object:
    """Return when the build was made that is still current; None if there is none."""
    found = connection.execute(
        _CONTEXT,
        {
            "timezone": settings.timezone,
            "settle_days": settings.settle_days,
            "project": project_digest(settings.data_dir),
            "loaded": loaded_digest(connection),
        },
    ).fetchone()
    if found is None:
        return None
    as_of, built_at = found
    now = settings.clock()
    if as_of.replace(tzinfo=UTC).astimezone(settings.zone).date() != now.astimezone(settings.zone).date():
        return None
    overtaken = connection.execute(
        _OVERTAKEN,
        {"as_of": as_of, "now": as_utc(now), "settle_time": timedelta(days=settings.settle_days)},
    ).fetchone()
    return None if overtaken == (True,) else built_at
