-- One row a business day and currency, of the days that are asked for.
select
    days.business_day,
    days.currency,
    cast(sum(days.messages) as bigint) as messages,
    cast(sum(days.parts) as bigint) as parts,
    cast(sum(days.unpriced) as bigint) as unpriced,
    cast(sum(days.priced_parts) as bigint) as priced_parts,
    sum(days.cost) as cost,
    sum(days.cost_undelivered) as cost_undelivered,
    sum(days.cost_voice) as cost_voice
from marts.cost_daily as days
where days.business_day between getvariable('first_day') and getvariable('last_day')
group by days.business_day, days.currency
order by days.business_day
