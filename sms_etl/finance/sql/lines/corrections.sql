-- One row a correction that was booked to the month; its price is what the closed month would cost more.
select
    'correction' as line,
    correction.booked_month as business_month,
    correction.uuid,
    sms.created_at,
    sms.business_day,
    sms.sent_at,
    sms.settled_at,
    sms.delivery_status,
    correction.country_code,
    correction.service_code,
    sms.sender_id,
    correction.cost_centre,
    sms.bulk_id,
    sms.key_id,
    correction.messages,
    cast(null as integer) as parts,
    coalesce(sms.is_voice, false) as is_voice,
    correction.amount as price,
    correction.currency,
    correction.closed_month,
    correction.kind as correction_kind
from finance.correction as correction
left join marts.fct_sms as sms on correction.uuid = sms.uuid
where correction.booked_month = getvariable('report_month')
