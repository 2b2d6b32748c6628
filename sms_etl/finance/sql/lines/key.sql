-- One row an API key that lines may have; a closing keeps none.
select distinct sms.key_id
from marts.fct_sms as sms
where sms.key_id is not null
order by sms.key_id
