-- Messages whose codes do not say what became of them.
-- models: marts.fct_sms
-- severity: warn
select
    uuid,
    status_code,
    dlr_code
from marts.fct_sms
where delivery_status = 'unknown'
