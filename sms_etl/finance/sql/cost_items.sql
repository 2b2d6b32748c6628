-- One row a currency, cost centre, country and service, of the month and of the month before.
select
    months.business_month,
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
    months.cost_failed
from marts.cost_monthly as months
where months.business_month in (getvariable('report_month'), getvariable('report_month') - interval 1 month)
order by months.currency, months.cost_centre, months.country_name, months.service_code, months.business_month
