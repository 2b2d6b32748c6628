-- One row if a message is known.
select sms.uuid from marts.fct_sms as sms
where sms.uuid = $1
union distinct
select closed.uuid from finance.closed_line as closed
where closed.uuid = $1
union distinct
select correction.uuid from finance.correction as correction
where correction.uuid = $1
