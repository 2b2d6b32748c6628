-- One row a span that was read without a gap and reaches into the month; it may reach beyond it.
with bounds as (
    select
        timezone(
            'UTC', timezone(context.timezone, cast(getvariable('report_month') as timestamp))
        ) as starts_at,
        timezone(
            'UTC',
            timezone(context.timezone, cast(getvariable('report_month') + interval 1 month as timestamp))
        ) as ends_at
    from ops.build_context as context
)

select
    coverage.covered_from_at,
    coverage.covered_until_at
from marts.coverage_spans as coverage
inner join bounds
    on coverage.covered_from_at < bounds.ends_at and coverage.covered_until_at > bounds.starts_at
order by coverage.covered_from_at
