-- One row a currency and reporting currency of the month: what its cost is by the rates of its days, and
-- which days have none.
with lacking as (
    select
        days.currency,
        days.reporting_currency,
        list(distinct days.business_day order by days.business_day) as days_without_rate
    from marts.cost_reporting as days
    where days.booked_month = getvariable('report_month') and days.rate is null
    group by days.currency, days.reporting_currency
)

select
    reporting.booked_month as month,
    reporting.currency,
    reporting.reporting_currency,
    sum(reporting.cost) as cost,
    sum(reporting.cost_reporting) as cost_reporting,
    sum(reporting.cost_without_rate) as cost_without_rate,
    any_value(lacking.days_without_rate) as days_without_rate
from marts.cost_reporting_monthly as reporting
left join lacking
    on
        reporting.currency = lacking.currency
        and reporting.reporting_currency = lacking.reporting_currency
where reporting.booked_month = getvariable('report_month')
group by reporting.booked_month, reporting.currency, reporting.reporting_currency
order by reporting.currency, reporting.reporting_currency
