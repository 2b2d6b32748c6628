-- One row a sync of the last weeks, the oldest first. What an error said stays out: it may be the provider's.
select
    runs.started_at,
    runs.finished_at,
    runs.stopped_reason,
    runs.bulks_error is not null as is_without_bulks,
    runs.bulks_differing
from ops.sync_run as runs
where runs.started_at >= cast(getvariable('first_compared_day') as timestamp) - interval 1 day
order by runs.started_at, runs.finished_at
