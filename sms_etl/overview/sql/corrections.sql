-- One row a closed month and currency that something changed in since.
select
    corrections.closed_month,
    corrections.currency,
    sum(corrections.amount) as amount
from finance.correction as corrections
group by corrections.closed_month, corrections.currency
order by corrections.closed_month, corrections.currency
