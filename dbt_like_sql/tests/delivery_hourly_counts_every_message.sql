-- No join loses or multiplies a message on the way to the figures by the hour.
-- models: marts.delivery_hourly
with counts as (
    select
        (select count(*) from raw.sms) as in_raw,
        (select coalesce(sum(delivery_hourly.messages), 0) from marts.delivery_hourly) as in_delivery_hourly
)

select
    in_raw,
    in_delivery_hourly
from counts
where in_raw != in_delivery_hourly
