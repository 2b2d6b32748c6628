-- One row a month after the newest closed one that has messages, or corrections that were booked to it.
with used as (
    select months.business_month as month
    from marts.cost_monthly as months
    union distinct
    select correction.booked_month as month
    from finance.correction as correction
)

select used.month
from used
where used.month > (select max(period.month) from finance.closed_period as period)
order by used.month
