-- One row a business day, country, service and age: how many of its messages were delivered by then.
-- Only messages that have reached the age count, so that today can be held against last week; those of the
-- last 92 days.
with sms as (
    select * from marts.fct_sms
),

context as (
    select * from ops.build_context
),

ages as (
    select listed.age_hours from (values (1), (6), (24), (72)) as listed (age_hours)
),

aged as (
    select
        sms.business_day,
        sms.country_code,
        sms.country_name,
        sms.service_code,
        ages.age_hours,
        sms.due_at + ages.age_hours * interval 1 hour <= context.as_of_at as has_reached,
        sms.delivery_status = 'delivered'
        and sms.settled_at <= sms.due_at + ages.age_hours * interval 1 hour as is_delivered_by_then,
        sms.is_final,
        sms.has_price,
        sms.changed_at
    from sms
    cross join ages
    cross join context
    where sms.due_at >= context.as_of_at - interval 92 day
),

counted as (
    select
        aged.business_day,
        aged.country_code,
        any_value(aged.country_name) as country_name,
        aged.service_code,
        aged.age_hours,
        count(*) as accepted,
        count(*) filter (where aged.has_reached) as messages,
        count(*) filter (where aged.has_reached and aged.is_delivered_by_then) as delivered,
        count(*) filter (where aged.is_final) as settled,
        count(*) filter (where aged.has_price) as priced,
        max(aged.changed_at) as changed_at
    from aged
    group by aged.business_day, aged.country_code, aged.service_code, aged.age_hours
),

final as (
    select
        counted.business_day,
        counted.country_code,
        counted.country_name,
        counted.service_code,
        counted.age_hours,
        counted.messages,
        counted.delivered,
        rate(counted.delivered, counted.messages) as accepted_delivery_rate,
        counted.messages = counted.accepted as is_complete,
        rate(counted.settled, counted.accepted) as share_settled,
        rate(counted.priced, counted.accepted) as share_priced,
        counted.changed_at
    from counted
    where counted.messages > 0
)

select * from final
