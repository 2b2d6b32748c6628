-- One row a currency: what a closed month holds, the corrections that were booked to it included.
with counted as (
    select
        lines.currency,
        1 as messages,
        coalesce(lines.price, 0) as cost
    from finance.closed_line as lines
    where lines.month = getvariable('report_month')
    union all
    select
        correction.currency,
        correction.messages,
        correction.amount as cost
    from finance.correction as correction
    where correction.booked_month = getvariable('report_month')
)

select
    counted.currency,
    cast(sum(counted.messages) as bigint) as messages,
    sum(cast(counted.cost as decimal(38, 6))) as cost
from counted
group by counted.currency
order by counted.currency
