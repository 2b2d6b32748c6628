-- No join loses or multiplies a message on the way to the delivery figures.
-- models: marts.delivery_daily
with counts as (
    select
        (select count(*) from raw.sms) as in_raw,
        (select coalesce(sum(delivery_daily.messages), 0) from marts.delivery_daily) as in_delivery_daily
)

select
    in_raw,
    in_delivery_daily
from counts
where in_raw != in_delivery_daily
