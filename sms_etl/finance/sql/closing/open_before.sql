-- One row an earlier month that is not closed though it has messages, or corrections that were booked to it.
with used as (
    select months.business_month as month
    from marts.cost_monthly as months
    union distinct
    select correction.booked_month as month
    from finance.correction as correction
)

select used.month
from used
anti join finance.closed_period as period on used.month = period.month
where used.month < getvariable('report_month')
order by used.month
