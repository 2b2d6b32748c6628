-- One row a message of the month, as it is closed.
select
    sms.business_month as month,
    sms.uuid,
    sms.created_at,
    sms.business_day,
    sms.currency,
    sms.price,
    sms.parts,
    sms.cost_centre,
    sms.country_code,
    sms.service_code,
    sms.delivery_status
from marts.fct_sms as sms
where sms.business_month = getvariable('report_month')
order by sms.business_day, sms.created_at, sms.uuid
