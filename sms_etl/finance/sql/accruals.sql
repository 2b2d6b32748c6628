-- One row a currency, country and service of the month: what has no price yet, by estimate, and how far the
-- same estimate would have been off where the price is known by now.
select
    accruals.currency,
    accruals.country_code,
    accruals.service_code as service,
    accruals.unpriced,
    accruals.unpriced_parts,
    accruals.estimated_cost,
    accruals.without_estimate,
    accruals.backtest_estimate,
    accruals.backtest_cost
from marts.accruals as accruals
where accruals.business_month = getvariable('report_month')
order by accruals.currency, accruals.country_code, accruals.service_code
