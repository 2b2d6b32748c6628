-- Budgets of cost centres that no rule charges and that were never charged: is the name misspelt?
-- models: marts.budget_status
-- severity: warn
with known as (
    select rules.cost_centre from seeds.cost_centres as rules
    union distinct
    select booked.cost_centre from marts.cost_booked as booked
    union distinct
    select '*' as cost_centre
    union distinct
    select 'unassigned' as cost_centre
)

select
    budgets.line,
    budgets.cost_centre
from seeds.budgets as budgets
left join known on budgets.cost_centre = known.cost_centre
where known.cost_centre is null
