-- One row a span of the month that was read without a gap; the last one may reach beyond the month.
select
    coverage.covered_from_at,
    coverage.covered_until_at
from marts.coverage_spans as coverage
inner join marts.coverage_monthly as months
    on
        months.business_month = getvariable('report_month')
        and coverage.covered_from_at < months.ends_at
        and coverage.covered_until_at > months.starts_at
order by coverage.covered_from_at
