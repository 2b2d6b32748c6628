-- One row: the frozen figures of a closed month, as text.
select cast(period.figures as varchar) as figures
from finance.closed_period as period
where period.month = getvariable('report_month')
