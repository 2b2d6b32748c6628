-- What was spent on undelivered messages is part of what was spent.
-- models: marts.cost_daily
select
    business_day,
    currency,
    cost,
    cost_undelivered
from marts.cost_daily
where cost_undelivered > cost or cost_undelivered < 0
