-- One row a bucket and currency, with a null cause, and one a cause within it: what the messages of
-- `invoice_differences.sql` come to. A message may have two causes, and counts once in its bucket.
select
    difference.bucket,
    difference.cause,
    difference.currency,
    count(distinct difference.uuid) as messages,
    cast(sum(difference.difference) as decimal(38, 6)) as amount
from temp.invoice_difference as difference
group by
    grouping sets (
        (difference.bucket, difference.currency),
        (difference.bucket, difference.currency, difference.cause)
    )
order by difference.bucket, difference.currency, difference.cause nulls first
