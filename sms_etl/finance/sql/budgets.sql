-- One row a cost centre and currency of the month that has a budget: what is spent of it, and the forecast.
select
    budgets.business_month as month,
    budgets.cost_centre,
    budgets.currency,
    budgets.budget,
    budgets.spent,
    budgets.forecast,
    budgets.forecast_low,
    budgets.forecast_high,
    budgets.share_used,
    budgets.status
from marts.budget_status as budgets
where budgets.business_month = getvariable('report_month') and budgets.budget is not null
order by budgets.currency, budgets.is_total, budgets.cost_centre
