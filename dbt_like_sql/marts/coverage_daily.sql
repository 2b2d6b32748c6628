-- One row a business day, from the month of the first message to that of the build: how much of it was read.
with coverage as (
    select * from intermediate.int_coverage
),

sms as (
    select * from marts.fct_sms
),

context as (
    select * from ops.build_context
),

bounds as (
    select
        coalesce(min(sms.business_month), any_value(cast(context.as_of_at as date))) as first_day,
        any_value(timezone(context.timezone, timezone('UTC', context.as_of_at))) as last_day
    from context
    left join sms on true
),

months as (
    select
        unnest(
            generate_series(
                date_trunc('month', bounds.first_day), date_trunc('month', bounds.last_day), interval 1 month
            )
        ) as first_day
    from bounds
    union distinct
    -- Whatever the clocks say: a month with messages is never missing.
    select cast(sms.business_month as timestamp) as first_day
    from sms
),

dates as (
    select
        unnest(
            generate_series(
                months.first_day, months.first_day + interval 1 month - interval 1 day, interval 1 day
            )
        ) as midnight
    from months
),

days as (
    select
        cast(dates.midnight as date) as business_day,
        cast(date_trunc('month', dates.midnight) as date) as business_month,
        timezone('UTC', timezone(context.timezone, dates.midnight)) as starts_at,
        timezone('UTC', timezone(context.timezone, dates.midnight + interval 1 day)) as ends_at
    from dates
    cross join context
),

read as (
    select
        days.business_day,
        min(greatest(coverage.covered_from_at, days.starts_at)) as covered_from_at,
        max(least(coverage.covered_until_at, days.ends_at)) as covered_until_at,
        cast(
            sum(
                date_diff(
                    'second',
                    greatest(coverage.covered_from_at, days.starts_at),
                    least(coverage.covered_until_at, days.ends_at)
                )
            ) as bigint
        ) as covered_seconds
    from days
    inner join coverage
        on days.ends_at > coverage.covered_from_at and days.starts_at < coverage.covered_until_at
    group by days.business_day
),

final as (
    select
        days.business_day,
        days.business_month,
        days.starts_at,
        days.ends_at,
        read.covered_from_at,
        read.covered_until_at,
        date_diff('second', days.starts_at, days.ends_at)
        - coalesce(read.covered_seconds, 0) as missing_seconds,
        coalesce(read.covered_seconds, 0) = date_diff('second', days.starts_at, days.ends_at) as is_complete
    from days
    left join read on days.business_day = read.business_day
)

select * from final
