-- FOCUS adds up to the prices of all messages, currency by currency, and counts each that has a price.
-- models: marts.focus_cost_and_usage
with sums as (
    select
        'raw' as layer,
        currency,
        count(price) as messages,
        sum(price) as cost
    from raw.sms
    where price is not null
    group by currency
    union all
    select
        'focus' as layer,
        billing_currency as currency,
        sum(messages) as messages,
        sum(billed_cost) as cost
    from marts.focus_cost_and_usage
    group by billing_currency
)

select
    sums.currency,
    count(*) as layers,
    min(sums.messages) as least_messages,
    max(sums.messages) as most_messages,
    min(sums.cost) as least_cost,
    max(sums.cost) as most_cost
from sums
group by sums.currency
having count(*) != 2 or min(sums.messages) != max(sums.messages) or min(sums.cost) != max(sums.cost)
