-- What budgets expect of messages without a price is what accruals estimate of them.
-- models: intermediate.int_spend_daily
with spent as (
    select
        spend.business_day,
        spend.currency,
        sum(spend.estimated_cost) as estimated_cost
    from intermediate.int_spend_daily as spend
    where spend.cost_centre != '*'
    group by spend.business_day, spend.currency
),

accrued as (
    select
        days.business_day,
        days.currency,
        sum(coalesce(days.unpriced_parts * prices.usual_unit_price, 0)) as estimated_cost
    from intermediate.int_sms_daily as days
    left join intermediate.int_price_estimate as prices
        on
            days.business_day = prices.business_day
            and days.country_code = prices.country_code
            and days.service_code = prices.service_code
            and days.currency = prices.currency
    group by days.business_day, days.currency
)

select
    coalesce(spent.business_day, accrued.business_day) as business_day,
    coalesce(spent.currency, accrued.currency) as currency,
    spent.estimated_cost,
    accrued.estimated_cost as estimated_by_accruals
from spent
full join accrued on spent.business_day = accrued.business_day and spent.currency = accrued.currency
where spent.estimated_cost is distinct from accrued.estimated_cost
