-- One row a status that lines may have, whether a message has it now or not.
select status.delivery_status from marts.dim_status as status
union distinct
select sms.delivery_status from marts.fct_sms as sms
union distinct
select closed.delivery_status from finance.closed_line as closed
order by 1
