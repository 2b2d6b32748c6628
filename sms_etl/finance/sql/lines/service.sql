-- One row a value of `service_code` that lines may have.
select sms.service_code from marts.fct_sms as sms
union distinct
select closed.service_code from finance.closed_line as closed
union distinct
select correction.service_code from finance.correction as correction
order by 1
