-- What a status code and a delivery report code say together: the one place where that is decided.
-- Every documented pair is here, and every other pair that was seen. The report counts only once the operator
-- has the message (status 100); under an unknown status code it decides nothing.
with sms as (
    select * from intermediate.int_codes_daily
),

changes as (
    select * from intermediate.int_logged_codes_daily
),

status_codes as (
    select * from seeds.status_codes
),

dlr_codes as (
    select * from seeds.dlr_codes
),

pairs as (
    select
        status_codes.status_code,
        dlr_codes.dlr_code
    from status_codes
    cross join dlr_codes
    union distinct
    select
        sms.status_code,
        coalesce(sms.dlr_code, 0) as dlr_code
    from sms
    where sms.status_code is not null
    union distinct
    select
        changes.status_code,
        coalesce(changes.dlr_code, 0) as dlr_code
    from changes
    where changes.status_code is not null
),

final as (
    select
        pairs.status_code,
        pairs.dlr_code,
        status_codes.status_meaning,
        dlr_codes.dlr_meaning,
        case
            when status_codes.status_code is null then 'unknown'
            else coalesce(status_codes.delivery_status, dlr_codes.delivery_status, 'unknown')
        end as delivery_status,
        case
            when status_codes.status_code is null then false
            when status_codes.delivery_status is not null then status_codes.is_final
            else coalesce(dlr_codes.is_final, false)
        end as is_final,
        status_codes.status_code is not null and dlr_codes.dlr_code is not null as is_known
    from pairs
    left join status_codes on pairs.status_code = status_codes.status_code
    left join dlr_codes on pairs.dlr_code = dlr_codes.dlr_code
)

select * from final
