-- One row: the business day up to which figures are known; the days before it are known whole.
-- What was not read yet is not known: without a sync for a week it lies a week before the build.
with context as (
    select * from ops.build_context
),

coverage as (
    select max(spans.covered_until_at) as covered_until_at
    from intermediate.int_coverage as spans
),

days as (
    select
        cast(
            timezone(
                context.timezone,
                timezone(
                    'UTC', least(context.as_of_at, coalesce(coverage.covered_until_at, context.as_of_at))
                )
            ) as date
        ) as as_of_day
    from context
    cross join coverage
),

final as (
    select
        days.as_of_day,
        cast(date_trunc('month', days.as_of_day) as date) as as_of_month
    from days
)

select * from final
