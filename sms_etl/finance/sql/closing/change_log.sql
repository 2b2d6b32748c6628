-- One row: how many messages are not as the newest row of their change log says, or are in one of both only.
with newest as (
    select
        changes.uuid,
        max(changes.observed_at) as observed_at
    from raw.sms_change as changes
    group by changes.uuid
),

agreeing as (
    select distinct changes.uuid
    from raw.sms_change as changes
    inner join newest on changes.uuid = newest.uuid and changes.observed_at = newest.observed_at
    inner join raw.sms as sms on changes.uuid = sms.uuid
    where
        changes.price is not distinct from sms.price
        and changes.currency is not distinct from sms.currency
        and changes.status_code is not distinct from sms.status_code
        and changes.dlr_code is not distinct from sms.dlr_code
        and changes.is_sent is not distinct from sms.is_sent
        and changes.gateway_sent_at is not distinct from sms.gateway_sent_at
),

known as (
    select sms.uuid from raw.sms as sms
    union distinct
    select newest.uuid from newest
),

differing as (
    select known.uuid from known
    anti join agreeing on known.uuid = agreeing.uuid
)

select
    count(*) as messages,
    coalesce(min(cast(differing.uuid as varchar), 5), []) as uuids
from differing
