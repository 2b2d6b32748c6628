-- A rate is a share of something.
-- models: marts.delivery_daily
select
    business_day,
    delivery_rate,
    share_settled
from marts.delivery_daily
where delivery_rate not between 0 and 1 or share_settled not between 0 and 1
