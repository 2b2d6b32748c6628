-- One row: what the models were built with, whose messages these are, up to when they were read, and when the
-- provider was asked last. A backfill or a replay does not ask what became of other messages.
with syncs as (
    select max(runs.finished_at) as asked_at
    from ops.sync_run as runs
    where runs.stopped_reason = 'done' and coalesce(runs.purpose, 'forward') in ('forward', 'reconcile')
)

select
    context.timezone,
    context.as_of_at,
    context.built_at,
    context.settle_days,
    watermark.watermark_at,
    coalesce(syncs.asked_at, watermark.read_at, watermark.updated_at) as asked_at,
    account.account_id,
    account.base_url,
    coalesce(account.is_sandbox, false) as is_sandbox,
    (select min(days.business_day) from marts.delivery_daily as days) as first_day
from ops.build_context as context
cross join syncs
left join ops.watermark as watermark on watermark.stream = 'sms'
left join ops.account as account on true
