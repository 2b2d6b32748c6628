"""Checks bulks against their messages: a bulk's totals are the provider's second account of what it sent."""

from datetime import timedelta

import duckdb

_PROCESSED = 10
"""The one state that promises a message for each recipient; one that was cancelled or broke off does not."""
# A backfill may lie apart from what is read forward: a bulk is compared if one stretch of what was read holds
# it. What was read within the overlap may still lack rows that become visible late. As in `fct_bulk`,
# messages in another currency than their bulk's are not among its own: two currencies never meet.
_DIFFERING = """
with windows as (
    select
        since_at,
        until_at,
        max(until_at) over (
            order by since_at, until_at rows between unbounded preceding and 1 preceding
        ) as read_until_at
    from ops.fetch_window
    where stream = 'sms' and purpose in ('forward', 'backfill')
),

stretches as (
    select
        since_at,
        until_at,
        count(*) filter (where since_at > read_until_at + interval 1 second) over (
            order by since_at, until_at
        ) as stretch
    from windows
),

loaded as (
    select min(since_at) as since_at, max(until_at) - $overlap as until_at
    from stretches
    group by stretch
),

compared as (
    select bulks.*
    from raw.bulk as bulks
    inner join loaded on bulks.created_at >= loaded.since_at and bulks.processed_at <= loaded.until_at
    where bulks.status_code = $processed and not coalesce(bulks.is_dryrun, false)
),

sent as (
    select
        bulk_id,
        currency,
        count(*) as messages,
        count(*) filter (where price is null) as unpriced,
        sum(price) as cost
    from raw.sms
    where bulk_id in (select compared.uuid from compared)
    group by bulk_id, currency
)

select count(*)
from compared as bulks
left join sent on bulks.uuid = sent.bulk_id and bulks.currency = sent.currency
where
    bulks.msg_total_count != coalesce(sent.messages, 0)
    or (coalesce(sent.unpriced, 0) = 0 and bulks.msg_total_cost != coalesce(sent.cost, 0))
"""


def count_differing(connection: duckdb.DuckDBPyConnection, *, overlap: timedelta) -> int:
    """Count the bulks whose messages do not add up to the totals the provider reports of them.

    Compared are bulks that are processed, no dry runs, and were sent within what is loaded: the number of
    messages always, their cost to the last digit once each has a price. What the provider deleted counts too.

    Args:
        connection: To the warehouse or its published copy.
        overlap: How late a message may become visible; what was read later than that is not compared yet.
    """
    row = connection.execute(_DIFFERING, {"overlap": overlap, "processed": _PROCESSED}).fetchall()[0]
    return int(row[0])
