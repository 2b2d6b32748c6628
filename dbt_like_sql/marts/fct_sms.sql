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

cost_centres as (
    select * from seeds.cost_centres
),

context as (
    select * from ops.build_context
),

judged as (
    select
        sms.*,
        coalesce(status.is_final, false) as is_final,
        case
            when status.delivery_status = 'queued' and sms.scheduled_at > context.as_of_at then 'scheduled'
            else coalesce(status.delivery_status, 'unknown')
        end as delivery_status,
        greatest(sms.created_at, coalesce(sms.scheduled_at, sms.created_at))
        < context.as_of_at - to_days(context.settle_days) as is_old,
        starts_with(sms.service_code, 'text2speech') or sms.voice_lang is not null as is_voice,
        cast(timezone(context.timezone, timezone('UTC', sms.created_at)) as date) as business_day
    from sms
    cross join context
    left join status on sms.status_code = status.status_code and coalesce(sms.dlr_code, 0) = status.dlr_code
),

final as (
    select
        judged.uuid,
        judged.created_at,
        judged.scheduled_at,
        judged.sent_at,
        cast(null as timestamp) as delivered_at, -- only a webhook event knows it
        case when judged.is_final then settled.settled_at end as settled_at,
        judged.status_code,
        judged.dlr_code,
        judged.delivery_status,
        judged.is_final,
        not judged.is_final and judged.is_old as is_aged_out,
        judged.country_code,
        countries.country_name,
        judged.service_code,
        judged.sender_id,
        judged.key_id,
        coalesce(cost_centres.cost_centre, 'unassigned') as cost_centre,
        judged.bulk_id,
        judged.source,
        case
            when judged.is_unicode then 'ucs2'
            when not judged.is_unicode then 'gsm7'
        end as encoding,
        judged.chars,
        judged.parts,
        judged.price,
        judged.currency,
        -- Exact division, rounded half up to a millionth: `/` would go through double (docs/naming.md).
        case when not judged.is_voice then cast(
            (cast(cast(judged.price as decimal(38, 6)) * 1000000 as hugeint) * 2 + judged.parts)
            // nullif(2 * cast(judged.parts as hugeint), 0) * 0.000001 as decimal(18, 6)
        ) end as unit_price,
        judged.gone_at is not null as is_gone,
        judged.is_voice,
        judged.price is not null as has_price,
        judged.business_day,
        cast(date_trunc('month', judged.business_day) as date) as business_month
    from judged
    left join settled on judged.uuid = settled.uuid
    left join countries on judged.country_code = countries.country_code
    left join cost_centres on judged.key_id = cost_centres.key_id
)

select * from final
