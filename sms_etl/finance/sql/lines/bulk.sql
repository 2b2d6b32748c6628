-- One row if a bulk is known, by its own row or a message's.
select bulk.bulk_id from marts.fct_bulk as bulk
where bulk.bulk_id = $1
union distinct
select sms.bulk_id from marts.fct_sms as sms
where sms.bulk_id = $1
