-- One row a correction that was booked to the month.
select
    correction.closed_month,
    correction.uuid,
    correction.kind,
    correction.messages,
    correction.currency,
    correction.amount,
    correction.cost_centre,
    correction.country_code,
    correction.service_code,
    correction.detected_at
from finance.correction as correction
where correction.booked_month = getvariable('report_month')
order by
    correction.closed_month,
    correction.currency,
    correction.cost_centre,
    correction.detected_at,
    correction.uuid,
    correction.kind,
    correction.amount
