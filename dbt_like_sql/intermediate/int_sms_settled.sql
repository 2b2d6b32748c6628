-- One row a message that was seen final: since when it has been so without a break, and how that was seen.
with changes as (
    select * from staging.stg_sms_change
),

status as (
    select * from intermediate.int_status
),

observed as (
    select
        changes.uuid,
        changes.observed_at,
        changes.observed_by,
        coalesce(status.is_final, false) as is_final
    from changes
    left join status
        on changes.status_code = status.status_code and coalesce(changes.dlr_code, 0) = status.dlr_code
),

last_open as (
    select
        observed.uuid,
        max(observed.observed_at) as open_at
    from observed
    where not observed.is_final
    group by observed.uuid
),

-- Seen open and final at the same moment counts as final.
final as (
    select
        observed.uuid,
        min(observed.observed_at) as settled_at,
        arg_min(observed.observed_by, observed.observed_at) as settled_by
    from observed
    left join last_open on observed.uuid = last_open.uuid
    where observed.is_final and (last_open.open_at is null or observed.observed_at >= last_open.open_at)
    group by observed.uuid
)

select * from final
