-- One row a business day, cost centre and currency, and one of all cost centres together (`*`): what was
-- spent, with an estimate of what has no price yet.
with days as (
    select * from marts.cost_daily
),

unpriced as (
    select * from intermediate.int_unpriced_daily
),

prices as (
    select * from intermediate.int_price_estimate
),

spent as (
    select
        days.business_day,
        days.cost_centre,
        days.currency,
        days.messages,
        days.unpriced,
        days.cost,
        coalesce(unpriced.unpriced_parts * prices.usual_unit_price, 0) as estimated_cost,
        days.unpriced
        - case when prices.usual_unit_price is null then 0 else coalesce(unpriced.unpriced, 0) end
            as without_estimate
    from days
    left join unpriced
        on
            days.business_day = unpriced.business_day
            and days.currency = unpriced.currency
            and days.cost_centre = unpriced.cost_centre
            and days.country_code = unpriced.country_code
            and days.service_code = unpriced.service_code
    left join prices
        on
            days.business_day = prices.business_day
            and days.currency = prices.currency
            and days.country_code = prices.country_code
            and days.service_code = prices.service_code
),

with_totals as (
    select * from spent
    union all
    select
        spent.business_day,
        '*' as cost_centre,
        spent.currency,
        spent.messages,
        spent.unpriced,
        spent.cost,
        spent.estimated_cost,
        spent.without_estimate
    from spent
),

final as (
    select
        with_totals.business_day,
        with_totals.cost_centre,
        with_totals.currency,
        cast(sum(with_totals.messages) as bigint) as messages,
        cast(sum(with_totals.unpriced) as bigint) as unpriced,
        cast(sum(with_totals.without_estimate) as bigint) as without_estimate,
        cast(sum(with_totals.cost) as decimal(38, 6)) as cost,
        cast(sum(with_totals.estimated_cost) as decimal(38, 6)) as estimated_cost
    from with_totals
    group by with_totals.business_day, with_totals.cost_centre, with_totals.currency
)

select * from final
