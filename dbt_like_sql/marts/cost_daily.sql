-- One row a business day, currency, cost centre, country and service: what was spent, net of VAT.
with sms as (
    select * from marts.fct_sms
),

summed as (
    select
        sms.business_day,
        sms.currency,
        sms.cost_centre,
        sms.country_code,
        any_value(sms.country_name) as country_name,
        sms.service_code,
        count(*) as messages,
        cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
        count(*) filter (where not sms.has_price) as unpriced,
        cast(
            coalesce(sum(sms.parts) filter (where sms.has_price and not sms.is_voice), 0) as bigint
        ) as priced_parts,
        cast(coalesce(sum(sms.price), 0) as decimal(38, 6)) as cost,
        cast(
            coalesce(sum(sms.price) filter (where sms.is_final and sms.delivery_status != 'delivered'), 0)
            as decimal(38, 6)
        ) as cost_undelivered,
        cast(coalesce(sum(sms.price) filter (where sms.is_voice), 0) as decimal(38, 6)) as cost_voice
    from sms
    group by sms.business_day, sms.currency, sms.cost_centre, sms.country_code, sms.service_code
),

final as (
    select
        summed.business_day,
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
