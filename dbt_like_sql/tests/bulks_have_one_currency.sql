-- Messages in another currency than their bulk; they are not in the bulk's figures.
-- models: marts.fct_bulk
-- severity: warn
select
    sms.uuid,
    sms.currency,
    bulks.currency as bulk_currency
from marts.fct_sms as sms
inner join marts.fct_bulk as bulks on sms.bulk_id = bulks.bulk_id
where sms.currency != bulks.currency
