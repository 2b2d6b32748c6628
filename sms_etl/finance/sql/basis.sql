-- One row: what the models were built with, and up to when messages were read.
select
    context.timezone,
    context.as_of_at,
    context.built_at,
    context.settle_days,
    watermark.watermark_at
from ops.build_context as context
left join ops.watermark as watermark on watermark.stream = 'sms'
