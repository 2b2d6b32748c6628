-- One row: how many rows and files wait in quarantine that may hold a message of the month.
select count(*) as waiting
from ops.quarantine as quarantine
inner join marts.coverage_monthly as months on months.business_month = getvariable('report_month')
where
    quarantine.replayed_at is null
    and quarantine.accepted_at is null
    and quarantine.stream = 'sms'
    and coalesce(quarantine.since_at, quarantine.created_at, months.starts_at) < months.ends_at
    and coalesce(quarantine.until_at, quarantine.created_at, months.starts_at) >= months.starts_at
