-- One row a business day, currency, cost centre, country, service, price and number of parts of a message:
-- those that were closed, grouped as in marts.focus_cost_and_usage.
select
    lines.business_day,
    lines.currency,
    lines.cost_centre,
    lines.country_code,
    lines.service_code,
    lines.price,
    coalesce(lines.parts, 0) as parts,
    count(*) as messages,
    cast(sum(lines.price) as decimal(38, 6)) as cost
from finance.closed_line as lines
where lines.month = getvariable('report_month') and lines.price is not null
group by
    lines.business_day,
    lines.currency,
    lines.cost_centre,
    lines.country_code,
    lines.service_code,
    lines.price,
    coalesce(lines.parts, 0)
order by
    lines.business_day,
    lines.currency,
    lines.cost_centre,
    lines.country_code,
    lines.service_code,
    parts,
    lines.price
