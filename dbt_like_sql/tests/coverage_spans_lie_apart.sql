-- Spans that were read neither overlap nor touch: they would be one.
-- models: intermediate.int_coverage
select
    earlier.covered_from_at,
    earlier.covered_until_at,
    later.covered_from_at as next_from_at
from intermediate.int_coverage as earlier
inner join intermediate.int_coverage as later
    on
        earlier.covered_from_at < later.covered_from_at
        and earlier.covered_until_at >= later.covered_from_at
