-- One row a business day, sender and currency: what was sent under a name, what became of it, and its cost.
with sms as (
    select * from marts.fct_sms
),

counted as (
    select
        sms.business_day,
        coalesce(sms.sender_id, 'unknown') as sender_id,
        sms.currency,
        count(*) as messages,
        cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
        count(distinct sms.country_code) as countries,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.delivery_status = 'failed') as failed,
        count(*) filter (where sms.delivery_status = 'expired') as expired,
        count(*) filter (where sms.delivery_status = 'rejected') as rejected,
        count(*) filter (where sms.delivery_status = 'cancelled') as cancelled,
        count(*) filter (where not sms.is_final) as open,
        count(*) filter (where sms.is_final) as settled,
        count(*) filter (where sms.has_price) as priced,
        max(sms.changed_at) as changed_at,
        cast(coalesce(sum(sms.price), 0) as decimal(38, 6)) as cost,
        cast(
            coalesce(sum(sms.price) filter (where sms.is_final and sms.delivery_status != 'delivered'), 0)
            as decimal(38, 6)
        ) as cost_undelivered
    from sms
    group by sms.business_day, coalesce(sms.sender_id, 'unknown'), sms.currency
),

final as (
    select
        counted.business_day,
        counted.sender_id,
        counted.currency,
        counted.messages,
        counted.parts,
        counted.countries,
        counted.delivered,
        counted.failed,
        counted.expired,
        counted.rejected,
        counted.cancelled,
        counted.open,
        rate(counted.delivered, counted.settled) as delivery_rate,
        rate(counted.delivered, counted.messages) as accepted_delivery_rate,
        counted.messages - counted.priced as unpriced,
        counted.cost,
        counted.cost_undelivered,
        exact_division(counted.cost, counted.delivered) as cost_per_delivered,
        rate(counted.settled, counted.messages) as share_settled,
        rate(counted.priced, counted.messages) as share_priced,
        counted.changed_at
    from counted
)

select * from final
