-- One row a business day, kind, subject and currency: the messages in hours in which the sender, or the
-- account as a whole, is usually quiet. Only days before which the hours were known.
with hours as (
    select * from intermediate.int_traffic_hourly
),

subjects as (
    select
        'sender_off_hours' as kind,
        hours.sender_id as subject,
        hours.business_day,
        hours.business_hour,
        hours.currency,
        hours.messages,
        hours.delivered,
        hours.settled,
        hours.priced,
        hours.cost,
        hours.changed_at
    from hours
    union all
    select
        'account_off_hours' as kind,
        'account' as subject,
        hours.business_day,
        hours.business_hour,
        hours.currency,
        cast(sum(hours.messages) as bigint) as messages,
        cast(sum(hours.delivered) as bigint) as delivered,
        cast(sum(hours.settled) as bigint) as settled,
        cast(sum(hours.priced) as bigint) as priced,
        cast(sum(hours.cost) as decimal(38, 6)) as cost,
        max(hours.changed_at) as changed_at
    from hours
    group by hours.business_day, hours.business_hour, hours.currency
),

days as (
    select
        subjects.kind,
        subjects.subject,
        subjects.currency,
        subjects.business_day,
        cast(sum(subjects.messages) as bigint) as messages
    from subjects
    group by subjects.kind, subjects.subject, subjects.currency, subjects.business_day
),

-- A lively day has a message an hour: of fewer the hours say nothing. Most senders may have none.
lively as (
    select
        days.kind,
        days.subject,
        days.currency
    from days
    where days.messages >= 24
    group by days.kind, days.subject, days.currency
    having count(*) >= 14
),

known as (
    select
        days.*,
        count(*) filter (where days.messages >= 24) over (
            partition by days.kind, days.subject, days.currency
            order by days.business_day
            range between interval 28 day preceding and interval 1 day preceding
        ) as lively_days
    from days
    inner join lively
        on days.kind = lively.kind and days.subject = lively.subject and days.currency = lively.currency
),

-- A busy hour holds at least a quarter of an even share of a lively day, a 96th; one message may be chance.
-- Counting days, not messages, keeps one burst from making its hour a usual one.
busy as (
    select
        subjects.*,
        known.lively_days,
        count(*) filter (
            where known.messages >= 24 and subjects.messages >= 2 and subjects.messages * 96 >= known.messages
        ) over (
            partition by subjects.kind, subjects.subject, subjects.currency, subjects.business_hour
            order by subjects.business_day
            range between interval 28 day preceding and interval 1 day preceding
        ) as busy_days
    from subjects
    inner join known
        on
            subjects.kind = known.kind
            and subjects.subject = known.subject
            and subjects.currency = known.currency
            and subjects.business_day = known.business_day
),

-- A quiet hour was busy on fewer than a quarter of the lively days. A day without any has a row with none.
judged as (
    select
        busy.*,
        busy.busy_days * 4 < busy.lively_days as is_quiet
    from busy
    where busy.lively_days >= 14
),

final as (
    select
        judged.business_day,
        judged.kind,
        judged.subject,
        judged.currency,
        cast(coalesce(sum(judged.messages) filter (where judged.is_quiet), 0) as bigint) as messages,
        cast(coalesce(sum(judged.delivered) filter (where judged.is_quiet), 0) as bigint) as delivered,
        cast(coalesce(sum(judged.settled) filter (where judged.is_quiet), 0) as bigint) as settled,
        cast(coalesce(sum(judged.priced) filter (where judged.is_quiet), 0) as bigint) as priced,
        cast(coalesce(sum(judged.cost) filter (where judged.is_quiet), 0) as decimal(38, 6)) as cost,
        max(judged.changed_at) filter (where judged.is_quiet) as changed_at
    from judged
    group by judged.business_day, judged.kind, judged.subject, judged.currency
)

select * from final
