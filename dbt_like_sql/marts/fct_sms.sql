-- One row a message, newest state. Messages deleted at the provider stay: they were billed.
with sms as (
    select * from staging.stg_sms
),

settled as (
    select * from intermediate.int_sms_settled
),

status as (
    select * from intermediate.int_status
),

countries as (
    select * from marts.dim_country
),

rules as (
    select * from intermediate.int_cost_centre_rule
),

context as (
    select * from ops.build_context
),

-- Named apart from `sms`: what is named twice is held in memory whole, and there may be ten million of them.
beginnings as (
    select * from staging.stg_sms
),

prices as (
    select * from staging.stg_sms
),

moments as (
    select * from staging.stg_sms
),

-- To tell the local time of each message, or to divide its price, costs more than to look up what it comes
-- to: there are few hours and few prices. An hour in which the clock is changed is told message by message.
hours as (
    select distinct date_trunc('hour', moments.created_at) as begins_at
    from moments
),

local_hours as (
    select
        hours.begins_at,
        timezone(context.timezone, timezone('UTC', hours.begins_at)) - hours.begins_at as ahead,
        timezone(context.timezone, timezone('UTC', hours.begins_at)) - hours.begins_at
        = timezone(context.timezone, timezone('UTC', hours.begins_at + interval 1 hour))
        - (hours.begins_at + interval 1 hour) as is_even
    from hours
    cross join context
),

distinct_prices as (
    select distinct
        prices.price,
        prices.parts
    from prices
),

unit_prices as (
    select
        distinct_prices.price,
        distinct_prices.parts,
        cast(exact_division(distinct_prices.price, distinct_prices.parts) as decimal(18, 6)) as unit_price
    from distinct_prices
),

placed as (
    select
        sms.*,
        unit_prices.unit_price as price_per_part,
        case
            when local_hours.is_even then sms.created_at + local_hours.ahead
            else timezone(context.timezone, timezone('UTC', sms.created_at))
        end as created_at_local
    from sms
    cross join context
    left join local_hours on date_trunc('hour', sms.created_at) = local_hours.begins_at
    left join unit_prices on sms.price = unit_prices.price and sms.parts = unit_prices.parts
),

judged as (
    select
        placed.*,
        coalesce(status.is_final, false) as is_final,
        case
            when status.delivery_status = 'queued' and placed.scheduled_at > context.as_of_at then 'scheduled'
            else coalesce(status.delivery_status, 'unknown')
        end as delivery_status,
        greatest(placed.created_at, coalesce(placed.scheduled_at, placed.created_at))
        < context.as_of_at - to_days(context.settle_days) as is_old,
        starts_with(placed.service_code, 'text2speech') or placed.voice_lang is not null as is_voice,
        cast(placed.created_at_local as date) as business_day,
        greatest(placed.created_at, coalesce(placed.scheduled_at, placed.created_at)) as due_at
    from placed
    cross join context
    left join status
        on placed.status_code = status.status_code and coalesce(placed.dlr_code, 0) = status.dlr_code
),

prefix_lengths as (
    select distinct rules.prefix_length
    from rules
    where rules.matched_by = 'callback'
),

-- By length, so that each is a join by equality. Among the strongest the longest beginning decides.
named_by_callback as (
    select
        beginnings.uuid,
        rules.strength,
        rules.cost_centre,
        row_number() over (
            partition by beginnings.uuid
            order by rules.strength desc, rules.prefix_length desc
        ) as place
    from beginnings
    cross join context
    cross join prefix_lengths
    inner join rules
        on
            rules.matched_by = 'callback'
            and prefix_lengths.prefix_length = rules.prefix_length
            and left(beginnings.callback_data, prefix_lengths.prefix_length) = rules.callback_prefix
            and cast(timezone(context.timezone, timezone('UTC', beginnings.created_at)) as date)
            >= rules.first_day
            and cast(timezone(context.timezone, timezone('UTC', beginnings.created_at)) as date)
            <= rules.last_day
),

named as (
    select
        judged.*,
        by_bulk.cost_centre as cost_centre_by_bulk,
        by_callback.cost_centre as cost_centre_by_callback,
        by_sender.cost_centre as cost_centre_by_sender,
        by_key.cost_centre as cost_centre_by_key,
        by_source.cost_centre as cost_centre_by_source,
        by_bulk.strength as strength_by_bulk,
        by_callback.strength as strength_by_callback,
        by_sender.strength as strength_by_sender,
        by_key.strength as strength_by_key,
        by_source.strength as strength_by_source,
        -- Weaker than any rule. Spelt out, since not every database ignores a null in `greatest`.
        greatest(
            coalesce(by_bulk.strength, -99999999999),
            coalesce(by_callback.strength, -99999999999),
            coalesce(by_sender.strength, -99999999999),
            coalesce(by_key.strength, -99999999999),
            coalesce(by_source.strength, -99999999999)
        ) as strength
    from judged
    left join named_by_callback as by_callback on judged.uuid = by_callback.uuid and by_callback.place = 1
    left join rules as by_bulk
        on
            by_bulk.matched_by = 'bulk'
            and judged.bulk_id = by_bulk.bulk_id
            and judged.business_day >= by_bulk.first_day
            and judged.business_day <= by_bulk.last_day
    left join rules as by_sender
        on
            by_sender.matched_by = 'sender'
            and judged.sender_id = by_sender.sender_id
            and judged.business_day >= by_sender.first_day
            and judged.business_day <= by_sender.last_day
    left join rules as by_key
        on
            by_key.matched_by = 'key'
            and judged.key_id = by_key.key_id
            and judged.business_day >= by_key.first_day
            and judged.business_day <= by_key.last_day
    left join rules as by_source
        on
            by_source.matched_by = 'source'
            and judged.source = by_source.source
            and judged.business_day >= by_source.first_day
            and judged.business_day <= by_source.last_day
),

final as (
    select
        named.uuid,
        named.created_at,
        named.scheduled_at,
        named.sent_at,
        case when named.delivery_status = 'delivered' then named.delivered_at end as delivered_at,
        case when named.is_final then settled.settled_at end as settled_at,
        named.status_code,
        named.dlr_code,
        named.delivery_status,
        named.is_final,
        not named.is_final and named.is_old as is_aged_out,
        named.country_code,
        countries.country_name,
        named.service_code,
        named.sender_id,
        named.key_id,
        case named.strength
            when named.strength_by_bulk then named.cost_centre_by_bulk
            when named.strength_by_callback then named.cost_centre_by_callback
            when named.strength_by_sender then named.cost_centre_by_sender
            when named.strength_by_key then named.cost_centre_by_key
            when named.strength_by_source then named.cost_centre_by_source
            else 'unassigned'
        end as cost_centre,
        named.bulk_id,
        named.source,
        case
            when named.is_unicode then 'ucs2'
            when not named.is_unicode then 'gsm7'
        end as encoding,
        named.chars,
        named.parts,
        named.price,
        named.currency,
        case when not named.is_voice then named.price_per_part end as unit_price,
        named.gone_at is not null as is_gone,
        named.is_voice,
        named.price is not null as has_price,
        named.text_units,
        named.text_parts,
        named.text_non_gsm,
        named.text_template,
        left(named.phone_range, 12) as phone_range,
        named.changed_at,
        named.due_at,
        named.created_at_local,
        named.business_day,
        cast(extract(hour from named.created_at_local) as integer) as business_hour,
        cast(date_trunc('month', named.created_at_local) as date) as business_month,
        case named.strength
            when named.strength_by_bulk then 'bulk'
            when named.strength_by_callback then 'callback'
            when named.strength_by_sender then 'sender'
            when named.strength_by_key then 'key'
            when named.strength_by_source then 'source'
        end as cost_centre_by,
        case when named.is_final then settled.settled_by end as settled_by
    from named
    left join settled on named.uuid = settled.uuid
    left join countries on named.country_code = countries.country_code
)

select * from final
