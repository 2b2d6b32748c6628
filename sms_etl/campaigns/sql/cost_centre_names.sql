-- One row a cost centre that anything names: whether it has a budget in the month a campaign is sent in.
select
    named.cost_centre,
    bool_or(named.has_budget) as has_budget
from (
    select
        budgets.cost_centre,
        budgets.budget is not null
        and budgets.business_month = date_trunc('month', getvariable('campaign_day')) as has_budget
    from marts.budget_status as budgets
    union all
    select
        rules.cost_centre,
        false as has_budget
    from intermediate.int_cost_centre_rule as rules
) as named
group by named.cost_centre
