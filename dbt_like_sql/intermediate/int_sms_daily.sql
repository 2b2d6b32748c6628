-- One row a business day, country, service and currency: what several marts sum or compare over days.
with sms as (
    select * from marts.fct_sms
),

final as (
    select
        sms.business_day,
        sms.country_code,
        sms.service_code,
        sms.currency,
        any_value(sms.country_name) as country_name,
        count(*) as messages,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.is_final) as settled,
        count(*) filter (where sms.has_price) as priced,
        cast(coalesce(sum(sms.price), 0) as decimal(38, 6)) as cost,
        count(*) filter (where not sms.has_price and not sms.is_voice) as unpriced,
        cast(
            coalesce(sum(coalesce(sms.parts, 1)) filter (where not sms.has_price and not sms.is_voice), 0)
            as bigint
        ) as unpriced_parts,
        cast(coalesce(sum(sms.parts) filter (where sms.unit_price > 0), 0) as bigint) as priced_parts,
        cast(
            coalesce(sum(sms.price) filter (where sms.unit_price > 0), 0) as decimal(38, 6)
        ) as priced_cost,
        max(sms.changed_at) as changed_at
    from sms
    group by sms.business_day, sms.country_code, sms.service_code, sms.currency
)

select * from final
