-- Each month is charged what its messages cost: of an open month as they are now, of a closed one as closed.
-- models: marts.cost_booked
with expected as (
    select
        sms.business_month,
        sms.currency,
        count(*) as messages,
        coalesce(sum(sms.price), 0) as cost
    from marts.fct_sms as sms
    left join intermediate.int_closed_month as closed_months
        on sms.business_month = closed_months.business_month
    where closed_months.business_month is null
    group by sms.business_month, sms.currency
    union all
    select
        lines.month as business_month,
        lines.currency,
        count(*) as messages,
        coalesce(sum(lines.price), 0) as cost
    from finance.closed_line as lines
    inner join intermediate.int_closed_month as closed_months on lines.month = closed_months.business_month
    group by lines.month, lines.currency
),

booked as (
    select
        booked.booked_month as business_month,
        booked.currency,
        sum(booked.messages) as messages,
        sum(booked.cost) as cost
    from marts.cost_booked as booked
    where booked.entry = 'message'
    group by booked.booked_month, booked.currency
)

select
    coalesce(expected.business_month, booked.business_month) as business_month,
    coalesce(expected.currency, booked.currency) as currency,
    expected.messages,
    booked.messages as messages_booked,
    expected.cost,
    booked.cost as cost_booked
from expected
full join booked
    on expected.business_month = booked.business_month and expected.currency = booked.currency
where
    expected.messages is distinct from booked.messages
    or expected.cost is distinct from booked.cost
