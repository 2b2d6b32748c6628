-- No join loses or multiplies a message on the way to the costs.
-- models: marts.cost_monthly, marts.cost_daily, marts.fct_sms
with counts as (
    select
        (select count(*) from raw.sms) as in_raw,
        (select count(*) from marts.fct_sms) as in_fct,
        (select coalesce(sum(cost_daily.messages), 0) from marts.cost_daily) as in_cost_daily,
        (select coalesce(sum(cost_monthly.messages), 0) from marts.cost_monthly) as in_cost_monthly
)

select
    in_raw,
    in_fct,
    in_cost_daily,
    in_cost_monthly
from counts
where in_raw != in_fct or in_raw != in_cost_daily or in_raw != in_cost_monthly
