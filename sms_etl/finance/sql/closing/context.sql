-- One row: what the models were built with, the month's bounds, and what the month holds.
select
    context.timezone,
    coalesce(context.is_current, false) as is_current,
    months.starts_at,
    months.ends_at,
    months.missing_seconds,
    (
        select count(*) from marts.fct_sms as sms
        where sms.business_month = getvariable('report_month')
    ) as messages,
    (
        select count(*) from marts.fct_sms as sms
        where sms.business_month = getvariable('report_month') and not sms.is_final and not sms.is_aged_out
    ) as open_messages,
    (
        select count(*) from marts.fct_sms as sms
        where sms.business_month = getvariable('report_month') and not sms.has_price
    ) as unpriced
from ops.build_context as context
left join marts.coverage_monthly as months on months.business_month = getvariable('report_month')
