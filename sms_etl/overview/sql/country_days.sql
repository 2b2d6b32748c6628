-- One row a country and business day of the days that are compared.
select
    days.country_code as code,
    coalesce(any_value(days.country_name), days.country_code) as name,
    days.business_day,
    cast(sum(days.messages) as bigint) as messages,
    cast(sum(days.delivered) as bigint) as delivered,
    cast(sum(days.settled) as bigint) as settled
from marts.delivery_daily as days
where days.business_day between getvariable('first_compared_day') and getvariable('today')
group by days.country_code, days.business_day
order by days.country_code, days.business_day
