-- Messages billed with another number of parts than we count in their text.
-- models: staging.stg_sms
-- severity: warn
select
    uuid,
    parts,
    text_parts
from staging.stg_sms
where parts != text_parts
