-- One row a closed month.
select
    period.month,
    period.closed_at,
    period.digest,
    period.digest_version,
    period.figures_digest,
    period.is_forced,
    period.forced_reason,
    cast(period.overridden_reasons as varchar) as overridden_reasons,
    cast(period.totals as varchar) as totals,
    period.version
from finance.closed_period as period
order by period.month
