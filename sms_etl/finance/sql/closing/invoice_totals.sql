-- One row a currency in which an invoice without messages is not what the month holds here.
with entries as (
    select
        invoice.currency,
        invoice.amount
    from temp.invoice_line as invoice
    union all
    select
        closed.currency,
        -coalesce(closed.price, 0) as amount
    from finance.closed_line as closed
    where closed.month = getvariable('report_month')
    union all
    select
        sms.currency,
        -coalesce(sms.price, 0) as amount
    from marts.fct_sms as sms
    anti join finance.closed_period as period on sms.business_month = period.month
    where sms.business_month = getvariable('report_month')
    union all
    select
        correction.currency,
        -correction.amount as amount
    from finance.correction as correction
    where correction.booked_month = getvariable('report_month')
)

select
    'unknown' as bucket,
    'only totals are compared' as cause,
    entries.currency,
    0 as messages,
    cast(sum(entries.amount) as decimal(38, 6)) as amount
from entries
group by entries.currency
having sum(entries.amount) != 0
order by entries.currency
