-- One row a day of observation, day of the messages, kind of change and currency: why figures moved in the
-- last 35 days.
with sms as (
    select * from staging.stg_sms
),

facts as (
    select * from marts.fct_sms
),

log as (
    select * from staging.stg_sms_change
),

statuses as (
    select * from intermediate.int_status
),

context as (
    select * from ops.build_context
),

-- What was never seen to change has one entry in the log, that of its first sighting: it need not be sorted.
unchanged as (
    select
        log.uuid,
        log.observed_at,
        coalesce(log.price, 0) as amount
    from log
    cross join context
    inner join sms on log.uuid = sms.uuid and sms.changed_at <= sms.first_seen_at
    where log.observed_at >= context.as_of_at - interval 35 day
),

changed as (
    select
        log.uuid,
        log.observed_at,
        log.price,
        coalesce(statuses.delivery_status, 'unknown') as delivery_status,
        lag(log.observed_at) over line as observed_before_at,
        lag(log.price) over line as price_before,
        lag(coalesce(statuses.delivery_status, 'unknown')) over line as status_before
    from log
    cross join context
    inner join sms
        on
            log.uuid = sms.uuid
            and sms.changed_at > sms.first_seen_at
            and sms.changed_at >= context.as_of_at - interval 35 day
    left join statuses
        on log.status_code = statuses.status_code and coalesce(log.dlr_code, 0) = statuses.dlr_code
    window line as (partition by log.uuid order by log.observed_at)
),

observed as (
    select
        unchanged.uuid,
        unchanged.observed_at,
        'new' as kind,
        unchanged.amount
    from unchanged
    union all
    select
        changed.uuid,
        changed.observed_at,
        case
            when changed.observed_before_at is null then 'new'
            when coalesce(changed.price, -1) != coalesce(changed.price_before, -1) then 'price'
            when changed.delivery_status != changed.status_before then 'status'
            else 'other'
        end as kind,
        coalesce(changed.price, 0) - coalesce(changed.price_before, 0) as amount
    from changed
),

final as (
    select
        cast(timezone(context.timezone, timezone('UTC', observed.observed_at)) as date) as observed_day,
        facts.business_day,
        observed.kind,
        facts.currency,
        count(*) as changes,
        count(distinct observed.uuid) as messages,
        cast(sum(observed.amount) as decimal(38, 6)) as amount
    from observed
    inner join facts on observed.uuid = facts.uuid
    cross join context
    where observed.observed_at >= context.as_of_at - interval 35 day
    group by observed_day, facts.business_day, observed.kind, facts.currency
)

select * from final
