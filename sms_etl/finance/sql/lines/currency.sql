-- One row a value of `currency` that lines may have.
select sms.currency from marts.fct_sms as sms
union distinct
select closed.currency from finance.closed_line as closed
union distinct
select correction.currency from finance.correction as correction
order by 1
