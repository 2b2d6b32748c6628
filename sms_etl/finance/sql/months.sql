-- One row a business month with messages.
select distinct cast(date_trunc('month', days.business_day) as date) as business_month
from marts.delivery_daily as days
order by business_month
