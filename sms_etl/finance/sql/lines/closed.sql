-- One row a message of a closed month, as it was closed. What a closing does not keep is as it is now: when
-- it was sent and settled, its sender, bulk and key; null if the message is no longer in the warehouse.
select
    'message' as line,
    lines.month as business_month,
    lines.uuid,
    lines.created_at,
    lines.business_day,
    sms.sent_at,
    sms.settled_at,
    lines.delivery_status,
    lines.country_code,
    lines.service_code,
    sms.sender_id,
    lines.cost_centre,
    sms.bulk_id,
    sms.key_id,
    1 as messages,
    lines.parts,
    coalesce(sms.is_voice, starts_with(lines.service_code, 'text2speech')) as is_voice,
    lines.price,
    lines.currency,
    cast(null as date) as closed_month,
    cast(null as varchar) as correction_kind
from finance.closed_line as lines
left join marts.fct_sms as sms on lines.uuid = sms.uuid
where lines.month = getvariable('report_month')
