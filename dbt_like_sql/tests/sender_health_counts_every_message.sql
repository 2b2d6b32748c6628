-- No join loses or multiplies a message, or an amount, on the way to the figures by sender.
-- models: marts.sender_health
with sums as (
    select
        'raw' as layer,
        currency,
        count(*) as messages,
        coalesce(sum(price), 0) as cost
    from raw.sms
    group by currency
    union all
    select
        'sender_health' as layer,
        currency,
        sum(messages) as messages,
        sum(cost) as cost
    from marts.sender_health
    group by currency
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
