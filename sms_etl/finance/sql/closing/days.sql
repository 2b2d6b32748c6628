-- One row a business day of a closed month.
select distinct lines.business_day
from finance.closed_line as lines
where lines.month = getvariable('report_month')
order by lines.business_day
