-- What `invoice_differences.sql` has found, in the order of its list.
select
    difference.uuid,
    difference.business_day,
    difference.our_amount,
    difference.invoice_amount,
    difference.difference,
    difference.currency,
    difference.bucket,
    difference.cause,
    difference.invoice_line
from temp.invoice_difference as difference
order by
    difference.bucket,
    difference.cause,
    difference.currency,
    difference.business_day,
    difference.uuid,
    difference.invoice_line
