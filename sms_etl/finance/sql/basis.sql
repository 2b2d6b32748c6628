-- One row: what the models were built with, whose messages these are, and up to when they were read.
select
    context.timezone,
    context.as_of_at,
    context.built_at,
    context.settle_days,
    watermark.watermark_at,
    account.account_id,
    account.base_url,
    coalesce(account.is_sandbox, false) as is_sandbox,
    (select min(days.business_day) from marts.delivery_daily as days) as first_day
from ops.build_context as context
left join ops.watermark as watermark on watermark.stream = 'sms'
left join ops.account as account on true
