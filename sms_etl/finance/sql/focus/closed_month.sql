-- One row, if the month is closed: its time zone, and all that its report shows.
select
    period.timezone,
    cast(period.figures as varchar) as figures
from finance.closed_period as period
where period.month = getvariable('report_month')
