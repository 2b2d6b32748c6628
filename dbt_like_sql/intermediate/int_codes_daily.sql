-- One row a day (UTC) and status code, delivery report code and country that its messages have: so few
-- that which there are is known without reading every message.
with sms as (
    select * from staging.stg_sms
),

final as (
    select
        min(sms.created_at) as created_at,
        coalesce(cast(sms.status_code as varchar), 'none') || '/'
        || coalesce(cast(sms.dlr_code as varchar), 'none') || '/' || sms.country_code as codes,
        sms.status_code,
        sms.dlr_code,
        sms.country_code,
        count(*) as messages
    from sms
    group by cast(sms.created_at as date), sms.status_code, sms.dlr_code, sms.country_code
)

select * from final
