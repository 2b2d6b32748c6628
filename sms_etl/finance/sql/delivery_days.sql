-- One row a business day of the month and of the month before.
select
    days.business_day,
    cast(sum(days.messages) as bigint) as messages,
    cast(sum(days.parts) as bigint) as parts,
    cast(sum(days.delivered) as bigint) as delivered,
    cast(sum(days.expired) as bigint) as expired,
    cast(sum(days.rejected) as bigint) as rejected,
    cast(sum(days.failed) as bigint) as failed,
    cast(sum(days.cancelled) as bigint) as cancelled,
    cast(sum(days.open) as bigint) as open,
    cast(sum(days.aged_out) as bigint) as aged_out
from marts.delivery_daily as days
where
    days.business_day >= getvariable('report_month') - interval 1 month
    and days.business_day < getvariable('report_month') + interval 1 month
group by days.business_day
order by days.business_day
