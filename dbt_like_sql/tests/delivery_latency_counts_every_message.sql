-- No join loses or multiplies a message on the way to the times.
-- models: marts.delivery_latency
with counts as (
    select
        (select count(*) from raw.sms) as in_raw,
        (select coalesce(sum(latency.messages), 0) from marts.delivery_latency as latency) as in_latency
)

select
    in_raw,
    in_latency
from counts
where in_raw != in_latency
