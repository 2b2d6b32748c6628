-- One row a business day, country and service: how far its messages came, each step a part of the one before.
with sms as (
    select * from marts.fct_sms
),

judged as (
    select
        sms.*,
        sms.delivery_status in ('sent', 'buffered', 'delivered', 'expired', 'rejected') as is_handed_over
    from sms
),

counted as (
    select
        judged.business_day,
        judged.country_code,
        any_value(judged.country_name) as country_name,
        judged.service_code,
        count(*) as accepted,
        count(*) filter (where judged.is_handed_over) as sent,
        count(*) filter (where judged.is_handed_over and coalesce(judged.dlr_code, 0) != 0) as reported,
        count(*) filter (where judged.delivery_status = 'delivered') as delivered,
        count(*) filter (where judged.is_final) as settled,
        count(*) filter (where judged.has_price) as priced,
        max(judged.changed_at) as changed_at
    from judged
    group by judged.business_day, judged.country_code, judged.service_code
),

final as (
    select
        counted.business_day,
        counted.country_code,
        counted.country_name,
        counted.service_code,
        counted.accepted,
        counted.sent,
        counted.reported,
        counted.delivered,
        rate(counted.sent, counted.accepted) as sent_rate,
        rate(counted.reported, counted.sent) as reported_rate,
        rate(counted.delivered, counted.reported) as reported_delivery_rate,
        rate(counted.delivered, counted.settled) as delivery_rate,
        rate(counted.delivered, counted.accepted) as accepted_delivery_rate,
        rate(counted.settled, counted.accepted) as share_settled,
        rate(counted.priced, counted.accepted) as share_priced,
        counted.changed_at
    from counted
)

select * from final
