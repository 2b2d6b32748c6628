-- No join loses or multiplies a message on the way to the funnel.
-- models: marts.delivery_funnel
with counts as (
    select
        (select count(*) from raw.sms) as in_raw,
        (select coalesce(sum(delivery_funnel.accepted), 0) from marts.delivery_funnel) as in_delivery_funnel
)

select
    in_raw,
    in_delivery_funnel
from counts
where in_raw != in_delivery_funnel
