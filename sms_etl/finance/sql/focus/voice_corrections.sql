-- One row a call that a correction is booked to the month for.
select distinct corrections.uuid
from finance.correction as corrections
inner join marts.fct_sms as sms on corrections.uuid = sms.uuid
where corrections.booked_month = getvariable('report_month') and sms.is_voice
