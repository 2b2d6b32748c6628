-- One row a message or bulk of the month that could not be loaded, nor was later: its open row or last one.
-- A landed file counts as one, however many it holds. Without a readable time it counts in the month it was
-- quarantined in.
with rows_left_out as (
    select
        quarantine.quarantine_id,
        quarantine.stream,
        quarantine.quarantined_at,
        quarantine.reason,
        quarantine.uuid,
        quarantine.price,
        quarantine.currency,
        quarantine.accepted_at,
        quarantine.accepted_reason,
        coalesce(quarantine.created_at, quarantine.until_at) is not null as is_dated,
        timezone(
            context.timezone,
            timezone('UTC', coalesce(quarantine.created_at, quarantine.until_at, quarantine.quarantined_at))
        ) as local_time
    from marts.quarantined_rows as quarantine
    cross join ops.build_context as context
    where quarantine.replayed_at is null and quarantine.kind = 'row'
),

each_once as (
    select rows_left_out.*
    from rows_left_out
    where cast(date_trunc('month', rows_left_out.local_time) as date) = getvariable('report_month')
    qualify row_number() over (
        partition by
            rows_left_out.stream = 'sms',
            coalesce(rows_left_out.uuid, cast(rows_left_out.quarantine_id as varchar))
        order by rows_left_out.accepted_at is not null, rows_left_out.quarantined_at desc
    ) = 1
)

select
    each_once.stream = 'sms' as is_message,
    each_once.accepted_at is not null as is_accepted,
    each_once.reason,
    each_once.accepted_reason,
    each_once.price,
    each_once.currency,
    each_once.is_dated,
    sms.uuid is not null as is_known
from each_once
left join marts.fct_sms as sms
    on each_once.stream = 'sms' and each_once.uuid = cast(sms.uuid as varchar)
order by each_once.quarantined_at, each_once.quarantine_id
