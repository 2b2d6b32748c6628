-- One row a span of time of which every message was read from the provider, without a gap.
with coverage as (
    select * from intermediate.int_coverage
),

final as (
    select
        coverage.covered_from_at,
        coverage.covered_until_at
    from coverage
)

select * from final
