-- One row a day (UTC) and status code and delivery report code that were seen on it.
with changes as (
    select * from staging.stg_sms_change
),

final as (
    select
        min(changes.observed_at) as observed_at,
        coalesce(cast(changes.status_code as varchar), 'none') || '/'
        || coalesce(cast(changes.dlr_code as varchar), 'none') as codes,
        changes.status_code,
        changes.dlr_code,
        count(*) as changes
    from changes
    group by cast(changes.observed_at as date), changes.status_code, changes.dlr_code
)

select * from final
