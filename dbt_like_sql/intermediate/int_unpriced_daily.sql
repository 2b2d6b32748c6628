-- One row a business day, currency, cost centre, country and service: text messages without a price yet.
with sms as (
    select * from marts.fct_sms
),

final as (
    select
        sms.business_day,
        sms.currency,
        sms.cost_centre,
        sms.country_code,
        sms.service_code,
        count(*) as unpriced,
        cast(sum(coalesce(sms.parts, 1)) as bigint) as unpriced_parts
    from sms
    where not sms.has_price and not sms.is_voice
    group by sms.business_day, sms.currency, sms.cost_centre, sms.country_code, sms.service_code
)

select * from final
