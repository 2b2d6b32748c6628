-- Messages with a price and no parts; their cost raises the average price per part.
-- models: marts.fct_sms
-- severity: warn
select
    uuid,
    price,
    parts
from marts.fct_sms
where price > 0 and coalesce(parts, 0) < 1
