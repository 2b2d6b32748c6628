-- One row a business day, country and service: how many messages reached the handset, of the settled ones.
with sms as (
    select * from marts.fct_sms
),

counted as (
    select
        sms.business_day,
        sms.country_code,
        any_value(sms.country_name) as country_name,
        sms.service_code,
        count(*) as messages,
        cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.delivery_status = 'failed') as failed,
        count(*) filter (where sms.delivery_status = 'expired') as expired,
        count(*) filter (where sms.delivery_status = 'rejected') as rejected,
        count(*) filter (where sms.delivery_status = 'cancelled') as cancelled,
        count(*) filter (where not sms.is_final) as open,
        count(*) filter (where sms.is_aged_out) as aged_out,
        count(*) filter (where sms.is_final) as settled,
        count(*) filter (where sms.has_price) as priced
    from sms
    group by sms.business_day, sms.country_code, sms.service_code
),

final as (
    select
        counted.business_day,
        counted.country_code,
        counted.country_name,
        counted.service_code,
        counted.messages,
        counted.parts,
        counted.delivered,
        counted.failed,
        counted.expired,
        counted.rejected,
        counted.cancelled,
        counted.open,
        counted.aged_out,
        counted.settled,
        rate(counted.delivered, counted.settled) as delivery_rate,
        rate(counted.delivered, counted.messages) as accepted_delivery_rate,
        rate(counted.settled, counted.messages) as share_settled,
        rate(counted.priced, counted.messages) as share_priced
    from counted
)

select * from final
