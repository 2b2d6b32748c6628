-- One row a severity: how many checks the last build ran.
select
    tests.severity,
    count(*) as checks,
    max(tests.tested_at) as tested_at
from ops.model_test as tests
group by tests.severity
order by tests.severity
