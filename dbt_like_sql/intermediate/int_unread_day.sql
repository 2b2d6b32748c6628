-- One row a business day that lies between days that were read and was not read whole.
with coverage as (
    select * from intermediate.int_coverage
),

context as (
    select * from ops.build_context
),

followed as (
    select
        coverage.covered_until_at as missing_from_at,
        lead(coverage.covered_from_at) over (order by coverage.covered_from_at) as missing_until_at
    from coverage
),

gaps as (
    select
        timezone(context.timezone, timezone('UTC', followed.missing_from_at)) as missing_from,
        timezone(
            context.timezone, timezone('UTC', followed.missing_until_at - interval 1 second)
        ) as missing_to
    from followed
    cross join context
    where followed.missing_until_at is not null
),

days as (
    select
        unnest(
            generate_series(
                date_trunc('day', gaps.missing_from), date_trunc('day', gaps.missing_to), interval 1 day
            )
        ) as midnight
    from gaps
),

final as (
    select distinct cast(days.midnight as date) as business_day
    from days
)

select * from final
