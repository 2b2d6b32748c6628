-- One row a currency, finding, country and service of the month: bills that are not what the messages say.
select
    audit.currency,
    audit.finding,
    audit.country_code,
    audit.service_code as service,
    count(*) as findings,
    cast(coalesce(sum(audit.amount), 0) as decimal(38, 6)) as amount
from marts.billing_audit as audit
where audit.business_month = getvariable('report_month')
group by audit.currency, audit.finding, audit.country_code, audit.service_code
order by audit.currency, audit.finding, audit.country_code, audit.service_code
