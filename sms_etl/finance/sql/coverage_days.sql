-- One row a business day of the month and of the month before that the warehouse knows of.
select
    days.business_day,
    days.starts_at,
    days.ends_at,
    days.is_complete
from marts.coverage_daily as days
where
    days.business_month in (getvariable('report_month'), getvariable('report_month') - interval 1 month)
order by days.business_day
