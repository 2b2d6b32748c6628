-- A month is covered and missing in parts that add up: its spans and its missing seconds are the whole month.
-- models: marts.coverage_monthly, intermediate.int_coverage
with spans as (
    select
        months.business_month,
        sum(
            date_diff(
                'second',
                greatest(coverage.covered_from_at, months.starts_at),
                least(coverage.covered_until_at, months.ends_at)
            )
        ) as covered_seconds
    from marts.coverage_monthly as months
    inner join intermediate.int_coverage as coverage
        on months.ends_at > coverage.covered_from_at and months.starts_at < coverage.covered_until_at
    group by months.business_month
)

select
    months.business_month,
    spans.covered_seconds,
    months.missing_seconds
from marts.coverage_monthly as months
left join spans on months.business_month = spans.business_month
where
    coalesce(spans.covered_seconds, 0) + months.missing_seconds
    != date_diff('second', months.starts_at, months.ends_at)
    or months.is_complete != (months.missing_seconds = 0)
