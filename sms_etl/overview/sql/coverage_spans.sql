-- One row a span that was read without a gap.
select
    coverage.covered_from_at,
    coverage.covered_until_at
from marts.coverage_spans as coverage
order by coverage.covered_from_at
