-- One row a listing, kind and reason of what could not be loaded and waits for somebody.
select
    quarantine.stream,
    coalesce(quarantine.kind, 'row') = 'file' as is_file,
    quarantine.reason,
    count(*) as waiting,
    min(quarantine.quarantined_at) as since_at
from marts.quarantined_rows as quarantine
where quarantine.replayed_at is null and quarantine.accepted_at is null
group by quarantine.stream, coalesce(quarantine.kind, 'row'), quarantine.reason
order by waiting desc, quarantine.reason asc
