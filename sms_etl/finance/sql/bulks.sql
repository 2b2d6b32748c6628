-- One row a bulk created in the month; a dry run sent nothing and is no bulk to finance.
select
    bulks.bulk_id,
    bulks.created_at,
    bulks.bulk_status,
    bulks.service_code,
    bulks.cost_centre,
    bulks.messages,
    bulks.delivered,
    bulks.cost,
    bulks.currency
from marts.fct_bulk as bulks
where bulks.business_month = getvariable('report_month') and not bulks.is_dryrun
order by bulks.created_at, bulks.bulk_id
