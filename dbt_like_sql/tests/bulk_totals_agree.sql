-- Processed bulks whose messages do not add up to the provider's own totals.
-- models: marts.fct_bulk
-- severity: warn
select
    bulk_id,
    messages_difference,
    cost_difference,
    currency
from marts.fct_bulk
where bulk_status = 'processed' and (messages_difference != 0 or cost_difference != 0)
