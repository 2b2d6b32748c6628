-- One row a currency of the month with messages that have a negative price.
select
    sms.currency,
    count(*) as messages,
    sum(sms.price) as cost
from marts.fct_sms as sms
where sms.business_month = getvariable('report_month') and sms.price < 0
group by sms.currency
