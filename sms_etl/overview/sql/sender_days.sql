-- One row a sender and business day of the days that are compared. A sender that had less than twenty
-- messages on each of them is left out: it cannot have left its range by twenty.
with days as (
    select
        health.sender_id,
        health.business_day,
        cast(sum(health.messages) as bigint) as messages,
        cast(sum(health.delivered) as bigint) as delivered,
        cast(sum(health.messages) - sum(health.open) as bigint) as settled
    from marts.sender_health as health
    where health.business_day between getvariable('first_compared_day') and getvariable('today')
    group by health.sender_id, health.business_day
),

busy as (
    select days.sender_id
    from days
    group by days.sender_id
    having max(days.messages) >= 20
)

select
    days.sender_id as code,
    days.sender_id as name,
    days.business_day,
    days.messages,
    days.delivered,
    days.settled
from days
inner join busy on days.sender_id = busy.sender_id
order by days.sender_id, days.business_day
