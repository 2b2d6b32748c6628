-- One row a check that failed, the blocking ones first, with how many of the rows it found are kept.
select
    tests.model,
    tests.test,
    tests.severity = 'error' as is_blocking,
    tests.failures,
    (
        select count(*)
        from ops.failed_test_rows as kept
        where kept.model = tests.model and kept.test = tests.test
    ) as kept_rows
from ops.model_test as tests
where tests.failures > 0
order by is_blocking desc, tests.model asc, tests.test asc
