-- One row a currency of the month, or that of the account where the month has none.
with used as (
    select sms.currency
    from marts.fct_sms as sms
    where sms.business_month = getvariable('report_month')
    union distinct
    select correction.currency
    from finance.correction as correction
    where correction.booked_month = getvariable('report_month')
)

select used.currency from used
union all
select account.currency
from ops.account as account
where not exists (select 1 from used)
order by currency
