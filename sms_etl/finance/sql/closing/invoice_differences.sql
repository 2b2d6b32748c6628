-- One row a message, or charge for none, that differs: the invoice less what the month holds here. A message
-- that is billed in another currency has a row in each; one that is billed again, a row each time.
with lines as (
    select
        closed.uuid,
        closed.currency,
        closed.price
    from finance.closed_line as closed
    where closed.month = getvariable('report_month')
    union all
    select
        sms.uuid,
        sms.currency,
        sms.price
    from marts.fct_sms as sms
    anti join finance.closed_period as period on sms.business_month = period.month
    where sms.business_month = getvariable('report_month')
),

entries as (
    select
        lines.uuid,
        lines.currency,
        coalesce(lines.price, 0) as amount,
        true as is_line,
        lines.price is null as is_unpriced
    from lines
    union all
    select
        correction.uuid,
        correction.currency,
        correction.amount,
        false as is_line,
        false as is_unpriced
    from finance.correction as correction
    where correction.booked_month = getvariable('report_month')
),

ours as (
    select
        entries.uuid,
        entries.currency,
        cast(sum(entries.amount) as decimal(38, 6)) as amount,
        bool_or(entries.is_line) as is_line,
        bool_or(entries.is_unpriced) as is_unpriced
    from entries
    group by entries.uuid, entries.currency
),

-- Of a message that is on the invoice twice, the line that is as it is here is the one that counts.
billed as (
    select
        invoice.uuid,
        invoice.line,
        invoice.currency,
        invoice.amount,
        invoice.uuid is not null and row_number() over (
            partition by invoice.uuid, invoice.currency
            order by invoice.amount is not distinct from ours.amount desc, invoice.line
        ) = 1 as is_first
    from temp.invoice_line as invoice
    left join ours on invoice.uuid = ours.uuid and invoice.currency = ours.currency
),

first_billed as (
    select
        billed.uuid,
        billed.line,
        billed.currency,
        billed.amount
    from billed
    where billed.is_first
),

seen as (
    select
        sms.uuid,
        sms.business_day,
        sms.is_gone
    from marts.fct_sms as sms
    union all
    select
        closed.uuid,
        closed.business_day,
        false as is_gone
    from finance.closed_line as closed
),

known as (
    select
        seen.uuid,
        max(seen.business_day) as business_day,
        bool_or(seen.is_gone) as is_gone
    from seen
    group by seen.uuid
),

-- Messages that both sides have, in the same currency or not.
shared as (
    select
        first_billed.uuid,
        bool_or(ours.currency = first_billed.currency) as has_same_currency
    from first_billed
    inner join ours on first_billed.uuid = ours.uuid
    group by first_billed.uuid
),

compared as (
    select
        coalesce(first_billed.uuid, ours.uuid) as uuid,
        first_billed.line,
        coalesce(first_billed.currency, ours.currency) as currency,
        case when not ours.is_unpriced then ours.amount end as our_amount,
        first_billed.amount as invoice_amount,
        coalesce(first_billed.amount, 0) - coalesce(ours.amount, 0) as amount,
        first_billed.uuid is not null as is_billed,
        ours.uuid is not null as is_ours,
        coalesce(ours.is_line, false) as is_line,
        coalesce(ours.is_unpriced, false) as is_unpriced
    from first_billed
    full join ours on first_billed.uuid = ours.uuid and first_billed.currency = ours.currency
),

caused as (
    select
        compared.uuid,
        compared.line,
        compared.currency,
        compared.our_amount,
        compared.invoice_amount,
        compared.amount,
        case
            when compared.is_billed and compared.is_ours and compared.is_unpriced then 'no price here'
            when compared.is_billed and compared.is_ours then 'another price'
            when shared.uuid is not null and not shared.has_same_currency then 'another currency'
            when compared.is_billed and shared.uuid is not null then 'billed in a second currency'
            when compared.is_billed and known.uuid is not null then 'of another month here'
            when compared.is_billed then 'not here'
            when not compared.is_line then 'correction not on the invoice'
            when known.is_gone then 'not on the invoice, deleted at the provider'
            else 'not on the invoice'
        end as cause
    from compared
    left join shared on compared.uuid = shared.uuid
    left join known on compared.uuid = known.uuid
    where compared.amount != 0
    union all
    select
        billed.uuid,
        billed.line,
        billed.currency,
        cast(null as decimal(38, 6)) as our_amount,
        billed.amount as invoice_amount,
        billed.amount,
        case when billed.uuid is null then 'for no message' else 'billed again' end as cause
    from billed
    where not billed.is_first and billed.amount != 0
)

select
    cast(caused.uuid as varchar) as uuid,
    caused.line as invoice_line,
    known.business_day,
    caused.currency,
    caused.our_amount,
    caused.invoice_amount,
    cast(caused.amount as decimal(38, 6)) as difference,
    case caused.cause
        when 'no price here' then 'unpriced'
        when 'another price' then 'price differs'
        when 'another currency' then 'price differs'
        when 'of another month here' then 'late'
        when 'correction not on the invoice' then 'late'
        when 'not on the invoice, deleted at the provider' then 'deleted at the provider'
        else 'unknown'
    end as bucket,
    caused.cause
from caused
left join known on caused.uuid = known.uuid
