-- One row a closed month, the newest first.
select
    periods.month,
    periods.closed_at,
    periods.is_forced,
    (
        select count(*)
        from finance.correction as corrections
        where corrections.closed_month = periods.month
    ) as corrections
from finance.closed_period as periods
order by periods.month desc
