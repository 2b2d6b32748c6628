-- One row a business day, country and service: how many messages reached the handset, of the settled ones.
with sms as (
    select * from marts.fct_sms
),

counted as (
    select
        sms.business_day,
        sms.country_code,
        any_value(sms.country_name) as country_name,
        sms.service_code,
        count(*) as messages,
        cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.delivery_status = 'failed') as failed,
        count(*) filter (where sms.delivery_status = 'expired') as expired,
        count(*) filter (where sms.delivery_status = 'rejected') as rejected,
        count(*) filter (where sms.delivery_status = 'cancelled') as cancelled,
        count(*) filter (where not sms.is_final) as open,
        count(*) filter (where sms.is_aged_out) as aged_out,
        count(*) filter (where sms.is_final) as settled
    from sms
    group by sms.business_day, sms.country_code, sms.service_code
),

final as (
    select
        counted.business_day,
        counted.country_code,
        counted.country_name,
        counted.service_code,
        counted.messages,
        counted.parts,
        counted.delivered,
        counted.failed,
        counted.expired,
        counted.rejected,
        counted.cancelled,
        counted.open,
        counted.aged_out,
        -- Exact division, rounded half up to a millionth (docs/naming.md); null while nothing is settled.
        cast(
            (counted.delivered * 2000000 + counted.settled) // nullif(2 * counted.settled, 0)
            * 0.000001 as decimal(9, 6)
        ) as delivery_rate,
        cast(
            (counted.settled * 2000000 + counted.messages) // (2 * counted.messages)
            * 0.000001 as decimal(9, 6)
        ) as share_settled
    from counted
)

select * from final
