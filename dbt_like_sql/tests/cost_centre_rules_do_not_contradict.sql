-- It names the same as another line, at the same priority and on the same days, for another cost centre.
-- models: seeds.cost_centres
select
    later.line,
    earlier.line as other_line
from seeds.cost_centres as earlier
inner join seeds.cost_centres as later
    on
        earlier.key_id is not distinct from later.key_id
        and earlier.sender_id is not distinct from later.sender_id
        and earlier.source is not distinct from later.source
        and earlier.bulk_id is not distinct from later.bulk_id
        and earlier.callback_prefix is not distinct from later.callback_prefix
        and coalesce(earlier.priority, 0) = coalesce(later.priority, 0)
        and earlier.line < later.line
        and earlier.cost_centre != later.cost_centre
        and coalesce(earlier.valid_from, date '0001-01-01') <= coalesce(later.valid_to, date '9998-12-31')
        and coalesce(later.valid_from, date '0001-01-01') <= coalesce(earlier.valid_to, date '9998-12-31')
