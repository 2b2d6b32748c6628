-- One row a pair of status code and delivery report code: what it means and what we call it.
with status as (
    select * from intermediate.int_status
),

final as (
    select
        status.status_code,
        status.dlr_code,
        coalesce(status.status_meaning, 'unknown') as status_meaning,
        coalesce(status.dlr_meaning, 'unknown') as dlr_meaning,
        status.delivery_status,
        status.is_final,
        status.is_known
    from status
)

select * from final
