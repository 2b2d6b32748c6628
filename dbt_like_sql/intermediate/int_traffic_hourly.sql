-- One row a business day, hour, sender and currency: the messages that belong to no bulk.
with sms as (
    select * from marts.fct_sms
),

final as (
    select
        sms.business_day,
        sms.business_hour,
        coalesce(sms.sender_id, 'unknown') as sender_id,
        sms.currency,
        count(*) as messages,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.is_final) as settled,
        count(*) filter (where sms.has_price) as priced,
        cast(coalesce(sum(sms.price), 0) as decimal(38, 6)) as cost,
        max(sms.changed_at) as changed_at
    from sms
    where sms.bulk_id is null
    group by sms.business_day, sms.business_hour, coalesce(sms.sender_id, 'unknown'), sms.currency
)

select * from final
