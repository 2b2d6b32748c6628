-- One row a budget of the month a campaign is sent in: what is left of it is what others have not spent.
select
    budgets.cost_centre,
    budgets.currency,
    budgets.budget,
    cast(budgets.spent + budgets.estimated_cost as decimal(38, 6)) as spent,
    budgets.as_of_day
from marts.budget_status as budgets
where
    budgets.budget is not null
    and budgets.business_month = date_trunc('month', getvariable('campaign_day'))
order by budgets.cost_centre, budgets.currency
