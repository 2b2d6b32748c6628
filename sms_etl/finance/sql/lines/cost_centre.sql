-- One row a value of `cost_centre` that lines may have.
select sms.cost_centre from marts.fct_sms as sms
union distinct
select closed.cost_centre from finance.closed_line as closed
union distinct
select correction.cost_centre from finance.correction as correction
order by 1
