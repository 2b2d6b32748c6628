-- One row a business day, currency, cost centre, country, service, price and number of parts of a message,
-- calls apart from texts: those that were closed, grouped as in marts.focus_cost_and_usage. What is a call is
-- not kept with what was closed, and never changes.
select
    lines.business_day,
    lines.currency,
    lines.cost_centre,
    lines.country_code,
    lines.service_code,
    lines.price,
    coalesce(lines.parts, 0) as parts,
    coalesce(sms.is_voice, starts_with(lines.service_code, 'text2speech')) as is_voice,
    count(*) as messages,
    cast(sum(lines.price) as decimal(38, 6)) as cost
from finance.closed_line as lines
left join marts.fct_sms as sms on lines.uuid = sms.uuid
where lines.month = getvariable('report_month') and lines.price is not null
group by
    lines.business_day,
    lines.currency,
    lines.cost_centre,
    lines.country_code,
    lines.service_code,
    lines.price,
    coalesce(lines.parts, 0),
    coalesce(sms.is_voice, starts_with(lines.service_code, 'text2speech'))
order by
    lines.business_day,
    lines.currency,
    lines.cost_centre,
    lines.country_code,
    lines.service_code,
    parts,
    lines.price,
    is_voice
