-- One row a currency and API key of the month whose cost centre is not known.
select
    sms.currency,
    sms.key_id,
    count(*) as messages,
    sum(coalesce(sms.price, 0)) as cost
from marts.fct_sms as sms
where sms.business_month = getvariable('report_month') and sms.cost_centre = 'unassigned'
group by sms.currency, sms.key_id
order by cost desc, sms.key_id asc
