-- One row a message of a month that is open.
select
    'message' as line,
    sms.business_month,
    sms.uuid,
    sms.created_at,
    sms.business_day,
    sms.sent_at,
    sms.settled_at,
    sms.delivery_status,
    sms.country_code,
    sms.service_code,
    sms.sender_id,
    sms.cost_centre,
    sms.bulk_id,
    sms.key_id,
    1 as messages,
    sms.parts,
    sms.is_voice,
    sms.price,
    sms.currency,
    cast(null as date) as closed_month,
    cast(null as varchar) as correction_kind
from marts.fct_sms as sms
where sms.business_month = getvariable('report_month')
