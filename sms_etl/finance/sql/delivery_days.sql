-- One row a business day with messages, of the days that are asked for.
select
    days.business_day,
    cast(sum(days.messages) as bigint) as messages,
    cast(sum(days.parts) as bigint) as parts,
    cast(sum(days.delivered) as bigint) as delivered,
    cast(sum(days.expired) as bigint) as expired,
    cast(sum(days.rejected) as bigint) as rejected,
    cast(sum(days.failed) as bigint) as failed,
    cast(sum(days.cancelled) as bigint) as cancelled,
    cast(sum(days.open) as bigint) as open,
    cast(sum(days.aged_out) as bigint) as aged_out
from marts.delivery_daily as days
where days.business_day between getvariable('first_day') and getvariable('last_day')
group by days.business_day
order by days.business_day
