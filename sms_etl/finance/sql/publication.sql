-- One row: how the newest copy was published, if it was published at all.
select
    publication.is_forced,
    publication.forced_reason,
    cast(publication.failed_tests as varchar) as failed_tests
from ops.publication as publication
order by publication.published_at desc, publication.rowid desc
limit 1
