-- Every message is in exactly one of the counts.
-- models: marts.delivery_daily
select
    business_day,
    country_code,
    service_code,
    messages
from marts.delivery_daily
where
    delivered + failed + expired + rejected + cancelled + open != messages
    or aged_out > open
