-- One row a business month, currency, cost centre, country and service: the sum of its days.
with days as (
    select * from marts.cost_daily
),

summed as (
    select
        cast(date_trunc('month', days.business_day) as date) as business_month,
        days.currency,
        days.cost_centre,
        days.country_code,
        any_value(days.country_name) as country_name,
        days.service_code,
        cast(sum(days.messages) as bigint) as messages,
        cast(sum(days.parts) as bigint) as parts,
        cast(sum(days.unpriced) as bigint) as unpriced,
        cast(sum(days.priced_parts) as bigint) as priced_parts,
        sum(days.cost) as cost,
        sum(days.cost_undelivered) as cost_undelivered,
        sum(days.cost_voice) as cost_voice
    from days
    group by
        date_trunc('month', days.business_day),
        days.currency,
        days.cost_centre,
        days.country_code,
        days.service_code
),

final as (
    select
        summed.business_month,
        summed.currency,
        summed.cost_centre,
        summed.country_code,
        summed.country_name,
        summed.service_code,
        summed.messages,
        summed.parts,
        summed.unpriced,
        summed.priced_parts,
        summed.cost,
        summed.cost_undelivered,
        summed.cost_voice,
        exact_division(summed.cost - summed.cost_voice, summed.priced_parts) as average_price_per_part
    from summed
)

select * from final
