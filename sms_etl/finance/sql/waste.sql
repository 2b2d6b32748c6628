-- One row a currency, kind and sender of the month: parts that a few characters cost.
select
    waste.currency,
    waste.kind,
    waste.sender_id as sender,
    cast(sum(waste.messages) as bigint) as messages,
    cast(sum(waste.extra_parts) as bigint) as extra_parts,
    sum(waste.cost_wasted) as cost
from marts.encoding_waste as waste
where
    waste.business_day >= getvariable('report_month')
    and waste.business_day < getvariable('report_month') + interval 1 month
group by waste.currency, waste.kind, waste.sender_id
order by waste.currency asc, cost desc, extra_parts desc, waste.kind asc, waste.sender_id asc
