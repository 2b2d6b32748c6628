-- One row a business month: how much of it was read. The sum of its days.
with days as (
    select * from marts.coverage_daily
),

final as (
    select
        days.business_month,
        min(days.starts_at) as starts_at,
        max(days.ends_at) as ends_at,
        min(days.covered_from_at) as covered_from_at,
        max(days.covered_until_at) as covered_until_at,
        cast(sum(days.missing_seconds) as bigint) as missing_seconds,
        sum(days.missing_seconds) = 0 as is_complete
    from days
    group by days.business_month
)

select * from final
