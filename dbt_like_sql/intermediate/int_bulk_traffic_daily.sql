-- One row a business day, kind, subject and currency: the messages of bulks, by bulk, and by range of
-- numbers. Of a range only days with at least five messages; how many ranges its country had is beside it.
with sms as (
    select * from marts.fct_sms
),

sent as (
    select
        sms.business_day,
        sms.bulk_id,
        sms.country_code,
        sms.phone_range,
        sms.currency,
        sms.delivery_status = 'delivered' as is_delivered,
        sms.is_final,
        sms.has_price,
        coalesce(sms.price, 0) as price,
        sms.changed_at
    from sms
    where sms.bulk_id is not null
),

bulks as (
    select
        sent.business_day,
        'bulk' as kind,
        cast(sent.bulk_id as varchar) as subject,
        cast(null as varchar) as country_code,
        sent.currency,
        count(*) as messages,
        count(*) filter (where sent.is_delivered) as delivered,
        count(*) filter (where sent.is_final) as settled,
        count(*) filter (where sent.has_price) as priced,
        cast(sum(sent.price) as decimal(38, 6)) as cost,
        max(sent.changed_at) as changed_at,
        cast(null as bigint) as ranges,
        cast(null as bigint) as messages_of_ranges
    from sent
    group by sent.business_day, sent.bulk_id, sent.currency
),

ranges as (
    select
        sent.business_day,
        'bulk_number_range' as kind,
        sent.phone_range as subject,
        -- The provider names no country for what it could not send.
        coalesce(min(nullif(sent.country_code, 'ZZ')), 'ZZ') as country_code,
        sent.currency,
        count(*) as messages,
        count(*) filter (where sent.is_delivered) as delivered,
        count(*) filter (where sent.is_final) as settled,
        count(*) filter (where sent.has_price) as priced,
        cast(sum(sent.price) as decimal(38, 6)) as cost,
        max(sent.changed_at) as changed_at
    from sent
    where sent.phone_range is not null
    group by sent.business_day, sent.phone_range, sent.currency
),

beside_others as (
    select
        ranges.*,
        count(*) over (partition by ranges.business_day, ranges.country_code, ranges.currency) as ranges,
        cast(
            sum(ranges.messages) over (partition by ranges.business_day, ranges.country_code, ranges.currency)
            as bigint
        ) as messages_of_ranges
    from ranges
),

final as (
    select * from bulks
    union all
    select * from beside_others
    where beside_others.messages >= 5
)

select * from final
