-- One row a bulk that is no dry run, as the last build has it, the newest first.
select
    bulks.bulk_id,
    bulks.created_at,
    bulks.scheduled_at,
    bulks.bulk_status,
    bulks.service_code,
    bulks.cost_centre,
    bulks.currency,
    bulks.messages,
    bulks.delivered,
    bulks.open,
    bulks.cost
from marts.fct_bulk as bulks
where not bulks.is_dryrun
order by bulks.created_at desc, bulks.bulk_id asc
