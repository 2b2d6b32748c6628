-- One row a country, currency and business day of the days that are compared.
select
    days.country_code as code,
    coalesce(days.country_name, days.country_code) as name,
    days.currency,
    days.business_day,
    days.cost
from marts.country_overview as days
where days.business_day between getvariable('first_compared_day') and getvariable('today')
order by days.country_code, days.currency, days.business_day
