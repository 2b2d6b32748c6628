-- One row a currency and bulk of the month's messages, and one for those sent without a bulk.
select
    sms.currency,
    sms.bulk_id,
    count(*) as messages,
    cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
    count(*) filter (where not sms.has_price) as unpriced,
    cast(
        coalesce(sum(sms.parts) filter (where sms.has_price and not sms.is_voice), 0) as bigint
    ) as priced_parts,
    cast(coalesce(sum(sms.price), 0) as decimal(38, 6)) as cost,
    cast(
        coalesce(sum(sms.price) filter (where sms.is_final and sms.delivery_status != 'delivered'), 0)
        as decimal(38, 6)
    ) as cost_undelivered,
    cast(coalesce(sum(sms.price) filter (where sms.is_voice), 0) as decimal(38, 6)) as cost_voice
from marts.fct_sms as sms
where sms.business_month = getvariable('report_month')
group by sms.currency, sms.bulk_id
order by sms.currency, sms.bulk_id
