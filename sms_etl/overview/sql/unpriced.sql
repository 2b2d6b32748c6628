-- One row a currency: messages of the days that are shown that have no price and are no longer re-fetched.
select
    sms.currency,
    count(*) as messages,
    min(sms.business_day) as first_day,
    max(sms.business_day) as last_day
from marts.fct_sms as sms
where
    sms.business_day between getvariable('first_shown_day') and getvariable('today')
    and not sms.has_price
    and sms.due_at <= getvariable('settled_until_at')
group by sms.currency
order by sms.currency
