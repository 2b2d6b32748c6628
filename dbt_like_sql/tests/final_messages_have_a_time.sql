-- Final messages of which the change log does not say since when.
-- models: marts.fct_sms
-- severity: warn
select
    uuid,
    created_at
from marts.fct_sms
where is_final and settled_at is null
