-- One row a business day, of the days that are asked for, that the warehouse knows of.
select
    days.business_day,
    days.starts_at,
    days.ends_at,
    days.is_complete
from marts.coverage_daily as days
where days.business_day between getvariable('first_day') and getvariable('last_day')
order by days.business_day
