-- One row a booked month, business day, entry, currency, cost centre, country and service: what
-- the month's report shows.
-- A view: corrections are booked after the models are built.
with days as (
    select * from marts.cost_daily
),

closed_months as (
    select * from intermediate.int_closed_month
),

closed_days as (
    select * from intermediate.int_closed_daily
),

countries as (
    select * from marts.dim_country
),

corrections as (
    select * from finance.correction
),

lines as (
    select * from finance.closed_line
),

sms as (
    select * from marts.fct_sms
),

entries as (
    select
        cast(date_trunc('month', days.business_day) as date) as booked_month,
        days.business_day,
        'message' as entry,
        days.currency,
        days.cost_centre,
        days.country_code,
        days.service_code,
        days.messages,
        days.unpriced,
        days.cost
    from days
    left join closed_months on date_trunc('month', days.business_day) = closed_months.business_month
    where closed_months.business_month is null
    union all
    select
        cast(date_trunc('month', closed_days.business_day) as date) as booked_month,
        closed_days.business_day,
        'message' as entry,
        closed_days.currency,
        closed_days.cost_centre,
        closed_days.country_code,
        closed_days.service_code,
        closed_days.messages,
        closed_days.unpriced,
        closed_days.cost
    from closed_days
    union all
    select
        corrections.booked_month,
        coalesce(lines.business_day, sms.business_day, corrections.closed_month) as business_day,
        'correction' as entry,
        corrections.currency,
        corrections.cost_centre,
        corrections.country_code,
        corrections.service_code,
        corrections.messages,
        0 as unpriced,
        corrections.amount as cost
    from corrections
    left join lines on corrections.uuid = lines.uuid and corrections.closed_month = lines.month
    left join sms on corrections.uuid = sms.uuid and corrections.closed_month = sms.business_month
),

final as (
    select
        entries.booked_month,
        entries.business_day,
        entries.entry,
        entries.currency,
        entries.cost_centre,
        entries.country_code,
        coalesce(any_value(countries.country_name), entries.country_code) as country_name,
        entries.service_code,
        cast(sum(entries.messages) as bigint) as messages,
        cast(sum(entries.unpriced) as bigint) as unpriced,
        cast(sum(entries.cost) as decimal(38, 6)) as cost
    from entries
    left join countries on entries.country_code = countries.country_code
    group by
        entries.booked_month, entries.business_day, entries.entry, entries.currency, entries.cost_centre,
        entries.country_code, entries.service_code
)

select * from final
