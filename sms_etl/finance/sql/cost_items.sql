-- One row a currency, cost centre, country and service of the month.
select
    months.currency,
    months.cost_centre,
    months.country_code,
    months.country_name,
    months.service_code,
    months.messages,
    months.parts,
    months.unpriced,
    months.priced_parts,
    months.cost,
    months.cost_undelivered,
    months.cost_voice
from marts.cost_monthly as months
where months.business_month = getvariable('report_month')
order by months.currency, months.cost_centre, months.country_name, months.service_code
