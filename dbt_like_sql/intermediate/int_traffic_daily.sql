-- One row a business day, kind, subject and currency: the messages that belong to no bulk, by country, sender
-- and range of numbers. Of a range only days with at least five messages: most ranges get one or two a day.
with sms as (
    select * from marts.fct_sms
),

single as (
    select
        sms.business_day,
        sms.country_code,
        coalesce(sms.sender_id, 'unknown') as sender_id,
        sms.phone_range,
        sms.currency,
        sms.delivery_status = 'delivered' as is_delivered,
        sms.is_final,
        sms.has_price,
        coalesce(sms.price, 0) as price,
        sms.changed_at
    from sms
    where sms.bulk_id is null
),

countries as (
    select
        single.business_day,
        'country' as kind,
        single.country_code as subject,
        single.country_code,
        single.currency,
        count(*) as messages,
        count(*) filter (where single.is_delivered) as delivered,
        count(*) filter (where single.is_final) as settled,
        count(*) filter (where single.has_price) as priced,
        cast(sum(single.price) as decimal(38, 6)) as cost,
        max(single.changed_at) as changed_at
    from single
    group by single.business_day, single.country_code, single.currency
),

senders as (
    select
        single.business_day,
        'sender' as kind,
        single.sender_id as subject,
        cast(null as varchar) as country_code,
        single.currency,
        count(*) as messages,
        count(*) filter (where single.is_delivered) as delivered,
        count(*) filter (where single.is_final) as settled,
        count(*) filter (where single.has_price) as priced,
        cast(sum(single.price) as decimal(38, 6)) as cost,
        max(single.changed_at) as changed_at
    from single
    group by single.business_day, single.sender_id, single.currency
),

ranges as (
    select
        single.business_day,
        'number_range' as kind,
        single.phone_range as subject,
        -- The provider names no country for what it could not send.
        coalesce(min(nullif(single.country_code, 'ZZ')), 'ZZ') as country_code,
        single.currency,
        count(*) as messages,
        count(*) filter (where single.is_delivered) as delivered,
        count(*) filter (where single.is_final) as settled,
        count(*) filter (where single.has_price) as priced,
        cast(sum(single.price) as decimal(38, 6)) as cost,
        max(single.changed_at) as changed_at
    from single
    where single.phone_range is not null
    group by single.business_day, single.phone_range, single.currency
    having count(*) >= 5
),

final as (
    select * from countries
    union all
    select * from senders
    union all
    select * from ranges
)

select * from final
