-- One row an hour of a business day, country and service: how many messages reached the handset.
with sms as (
    select * from marts.fct_sms
),

counted as (
    select
        sms.business_day,
        sms.business_hour,
        sms.country_code,
        any_value(sms.country_name) as country_name,
        sms.service_code,
        count(*) as messages,
        cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.is_final) as settled,
        count(*) filter (where sms.has_price) as priced,
        max(sms.changed_at) as changed_at
    from sms
    group by sms.business_day, sms.business_hour, sms.country_code, sms.service_code
),

final as (
    select
        counted.business_day,
        counted.business_hour,
        counted.country_code,
        counted.country_name,
        counted.service_code,
        counted.messages,
        counted.parts,
        counted.delivered,
        counted.settled,
        rate(counted.delivered, counted.settled) as delivery_rate,
        rate(counted.delivered, counted.messages) as accepted_delivery_rate,
        rate(counted.settled, counted.messages) as share_settled,
        rate(counted.priced, counted.messages) as share_priced,
        counted.changed_at
    from counted
)

select * from final
