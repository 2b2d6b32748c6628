-- One row: when the month begins and ends, and the day of the first message that was ever loaded.
select
    context.timezone,
    timezone('UTC', timezone(context.timezone, cast(getvariable('report_month') as timestamp))) as starts_at,
    timezone(
        'UTC', timezone(context.timezone, cast(getvariable('report_month') + interval 1 month as timestamp))
    ) as ends_at,
    (select min(days.business_day) from marts.delivery_daily as days) as first_day
from ops.build_context as context
