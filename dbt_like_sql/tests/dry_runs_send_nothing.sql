-- Dry runs that have messages or a cost.
-- models: marts.fct_bulk
select
    bulk_id,
    messages,
    cost
from marts.fct_bulk
where is_dryrun and (messages != 0 or cost != 0)
