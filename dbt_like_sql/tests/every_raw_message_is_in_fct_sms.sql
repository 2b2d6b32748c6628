-- Each message of raw.sms is in fct_sms, and no other.
-- models: marts.fct_sms
-- by: day
select
    coalesce(sms.uuid, fct.uuid) as uuid,
    fct.uuid is null as is_missing
from raw.sms as sms
full join marts.fct_sms as fct on sms.uuid = fct.uuid
where sms.uuid is null or fct.uuid is null
