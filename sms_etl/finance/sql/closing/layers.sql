-- One row a currency of which the provider's rows, the messages and the monthly sums do not say the same.
with sums as (
    select
        'raw.sms' as layer,
        sms.currency,
        count(*) as messages,
        coalesce(sum(sms.price), 0) as cost
    from raw.sms as sms
    inner join marts.coverage_monthly as months on months.business_month = getvariable('report_month')
    where sms.created_at >= months.starts_at and sms.created_at < months.ends_at
    group by sms.currency
    union all
    select
        'marts.fct_sms' as layer,
        sms.currency,
        count(*) as messages,
        coalesce(sum(sms.price), 0) as cost
    from marts.fct_sms as sms
    where sms.business_month = getvariable('report_month')
    group by sms.currency
    union all
    select
        'marts.cost_monthly' as layer,
        months.currency,
        cast(sum(months.messages) as bigint) as messages,
        sum(months.cost) as cost
    from marts.cost_monthly as months
    where months.business_month = getvariable('report_month')
    group by months.currency
)

select
    sums.currency,
    max(sums.cost) - min(sums.cost) as cost,
    max(sums.messages) - min(sums.messages) as messages
from sums
group by sums.currency
having
    count(*) != 3
    or min(sums.cost) != max(sums.cost)
    or min(sums.messages) != max(sums.messages)
order by sums.currency
