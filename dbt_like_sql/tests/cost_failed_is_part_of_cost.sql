-- What was spent on failed messages is part of what was spent.
-- models: marts.cost_daily
select
    business_day,
    currency,
    cost,
    cost_failed
from marts.cost_daily
where cost_failed > cost or cost_failed < 0
