-- One row: how many messages are on the invoice more than once.
with twice as (
    select invoice.uuid
    from temp.invoice_line as invoice
    where invoice.uuid is not null
    group by invoice.uuid
    having count(*) > 1
)

select count(*) as messages
from twice
