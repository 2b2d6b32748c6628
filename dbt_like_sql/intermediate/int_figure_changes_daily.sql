-- One row a day of the messages, day of observation, kind of change and currency: every change that was
-- ever seen.
with facts as (
    select * from marts.fct_sms
),

facts_of_changed as (
    select * from marts.fct_sms
),

log as (
    select * from staging.stg_sms_change
),

log_of_changed as (
    select * from staging.stg_sms_change
),

counted_log as (
    select * from staging.stg_sms_change
),

statuses as (
    select * from intermediate.int_status
),

context as (
    select * from ops.build_context
),

-- What was never seen to change has one entry in the log, that of its first sighting: it need not be sorted.
changed_messages as (
    select counted_log.uuid
    from counted_log
    group by counted_log.uuid
    having count(*) > 1
),

-- By minute: to tell the day of each entry would take longer than all the rest.
first_sightings as (
    select
        date_trunc('minute', log.observed_at) as observed_at,
        facts.business_day,
        facts.currency,
        count(*) as changes,
        sum(coalesce(log.price, 0)) as amount
    from log
    inner join facts on log.uuid = facts.uuid
    left join changed_messages on log.uuid = changed_messages.uuid
    where changed_messages.uuid is null
    group by date_trunc('minute', log.observed_at), facts.business_day, facts.currency
),

followed as (
    select
        log_of_changed.uuid,
        log_of_changed.observed_at,
        log_of_changed.price,
        coalesce(statuses.delivery_status, 'unknown') as delivery_status,
        lag(log_of_changed.observed_at) over line as observed_before_at,
        lag(log_of_changed.price) over line as price_before,
        lag(coalesce(statuses.delivery_status, 'unknown')) over line as status_before
    from log_of_changed
    inner join changed_messages on log_of_changed.uuid = changed_messages.uuid
    left join statuses
        on
            log_of_changed.status_code = statuses.status_code
            and coalesce(log_of_changed.dlr_code, 0) = statuses.dlr_code
    window line as (partition by log_of_changed.uuid order by log_of_changed.observed_at)
),

kinds as (
    select
        followed.uuid,
        followed.observed_at,
        case
            when followed.observed_before_at is null then 'new'
            when coalesce(followed.price, -1) != coalesce(followed.price_before, -1) then 'price'
            when followed.delivery_status != followed.status_before then 'status'
            else 'other'
        end as kind,
        coalesce(followed.price, 0) - coalesce(followed.price_before, 0) as amount
    from followed
),

observed as (
    select
        cast(
            timezone(context.timezone, timezone('UTC', first_sightings.observed_at)) as date
        ) as observed_day,
        first_sightings.business_day,
        'new' as kind,
        first_sightings.currency,
        first_sightings.changes,
        first_sightings.changes as messages,
        first_sightings.amount
    from first_sightings
    cross join context
    union all
    select
        cast(timezone(context.timezone, timezone('UTC', kinds.observed_at)) as date) as observed_day,
        facts_of_changed.business_day,
        kinds.kind,
        facts_of_changed.currency,
        count(*) as changes,
        count(distinct kinds.uuid) as messages,
        sum(kinds.amount) as amount
    from kinds
    inner join facts_of_changed on kinds.uuid = facts_of_changed.uuid
    cross join context
    group by
        cast(timezone(context.timezone, timezone('UTC', kinds.observed_at)) as date),
        facts_of_changed.business_day,
        kinds.kind,
        facts_of_changed.currency
),

final as (
    select
        observed.observed_day,
        observed.business_day,
        observed.kind,
        observed.currency,
        cast(sum(observed.changes) as bigint) as changes,
        cast(sum(observed.messages) as bigint) as messages,
        cast(sum(observed.amount) as decimal(38, 6)) as amount
    from observed
    group by observed.observed_day, observed.business_day, observed.kind, observed.currency
)

select * from final
