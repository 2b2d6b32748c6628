-- One row a sender that lines may have; a closing keeps none.
select distinct sms.sender_id
from marts.fct_sms as sms
where sms.sender_id is not null
order by sms.sender_id
