-- Money is exact from raw.sms to the monthly mart: the sums agree to the last digit, currency by currency.
-- models: marts.cost_monthly, marts.cost_daily, marts.fct_sms
with sums as (
    select
        'raw' as layer,
        currency,
        coalesce(sum(price), 0) as cost
    from raw.sms
    group by currency
    union all
    select
        'fct_sms' as layer,
        currency,
        coalesce(sum(price), 0) as cost
    from marts.fct_sms
    group by currency
    union all
    select
        'cost_daily' as layer,
        currency,
        sum(cost) as cost
    from marts.cost_daily
    group by currency
    union all
    select
        'cost_monthly' as layer,
        currency,
        sum(cost) as cost
    from marts.cost_monthly
    group by currency
)

select
    sums.currency,
    count(*) as layers,
    min(sums.cost) as least,
    max(sums.cost) as most
from sums
group by sums.currency
having count(*) != 4 or min(sums.cost) != max(sums.cost)
