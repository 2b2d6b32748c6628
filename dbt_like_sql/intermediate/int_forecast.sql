-- One row a month, day it is forecast on, cost centre and currency: what the remaining days will cost, by the
-- weekdays of up to eight weeks before. The running month as it is now, and each month that is over as it was
-- after its 10th and its 20th day. What was not read is not known: such days are forecast as those to come,
-- and a week in which one was missed is left out.
with spend as (
    select * from intermediate.int_spend_daily
),

as_of as (
    select * from intermediate.int_as_of
),

unread as (
    select * from intermediate.int_unread_day
),

ages as (
    select unnest(generate_series(1, 56)) as age
),

months as (
    select distinct cast(date_trunc('month', spend.business_day) as date) as business_month
    from spend
),

forecasts as (
    select
        as_of.as_of_month as business_month,
        as_of.as_of_day as forecast_on,
        true as is_present
    from as_of
    union all
    select
        months.business_month,
        cast(months.business_month + interval 10 day as date) as forecast_on,
        false as is_present
    from months
    inner join as_of on months.business_month < as_of.as_of_month
    union all
    select
        months.business_month,
        cast(months.business_month + interval 20 day as date) as forecast_on,
        false as is_present
    from months
    inner join as_of on months.business_month < as_of.as_of_month
),

series as (
    select
        spend.cost_centre,
        spend.currency,
        min(spend.business_day) as first_day
    from spend
    group by spend.cost_centre, spend.currency
),

days_left as (
    select
        forecasts.business_month,
        forecasts.forecast_on,
        unnest(
            generate_series(
                cast(forecasts.forecast_on as timestamp),
                forecasts.business_month + interval 1 month - interval 1 day,
                interval 1 day
            )
        ) as midnight
    from forecasts
    union all
    select
        forecasts.business_month,
        forecasts.forecast_on,
        cast(unread.business_day as timestamp) as midnight
    from forecasts
    inner join unread
        on forecasts.business_month <= unread.business_day and forecasts.forecast_on > unread.business_day
),

aged as (
    select
        days_left.business_month,
        days_left.forecast_on,
        -- Plus 7 before the second modulo: a day that was missed lies before `forecast_on`.
        7 - (date_diff('day', days_left.forecast_on, cast(days_left.midnight as date)) % 7 + 7) % 7
            as age_in_week
    from days_left
),

-- How many of the days left have the weekday of the day that was 1 to 7 days ago.
remaining as (
    select
        aged.business_month,
        aged.forecast_on,
        aged.age_in_week,
        count(*) as remaining_days
    from aged
    group by aged.business_month, aged.forecast_on, aged.age_in_week
),

-- Of each week before, as a whole: what the remaining days would cost if they were like its weekdays.
past as (
    select
        forecasts.business_month,
        forecasts.forecast_on,
        series.cost_centre,
        series.currency,
        ages.age,
        ages.age - (ages.age - 1) % 7 as week,
        (ages.age - 1) % 7 + 1 as age_in_week,
        cast(forecasts.forecast_on - to_days(cast(ages.age as integer)) as date) as business_day
    from forecasts
    cross join series
    cross join ages
    -- The oldest day of the week is still one of the cost centre's.
    where
        series.first_day
        <= forecasts.forecast_on - to_days(cast(ages.age + 6 - (ages.age - 1) % 7 as integer))
),

weeks as (
    select
        past.business_month,
        past.forecast_on,
        past.cost_centre,
        past.currency,
        past.week,
        cast(
            coalesce(sum((spend.cost + spend.estimated_cost) * remaining.remaining_days), 0) as decimal(38, 6)
        ) as expected
    from past
    left join remaining
        on
            past.business_month = remaining.business_month
            and past.forecast_on = remaining.forecast_on
            and past.age_in_week = remaining.age_in_week
    left join spend
        on
            past.business_day = spend.business_day
            and past.cost_centre = spend.cost_centre
            and past.currency = spend.currency
    left join unread on past.business_day = unread.business_day
    group by past.business_month, past.forecast_on, past.cost_centre, past.currency, past.week
    having count(case when remaining.remaining_days is not null then unread.business_day end) = 0
),

expected as (
    select
        weeks.business_month,
        weeks.forecast_on,
        weeks.cost_centre,
        weeks.currency,
        count(*) as weeks,
        exact_division(sum(weeks.expected), count(*)) as expected,
        min(weeks.expected) as expected_low,
        max(weeks.expected) as expected_high
    from weeks
    group by weeks.business_month, weeks.forecast_on, weeks.cost_centre, weeks.currency
),

known as (
    select
        forecasts.business_month,
        forecasts.forecast_on,
        spend.cost_centre,
        spend.currency,
        sum(spend.cost + spend.estimated_cost) as known_cost
    from forecasts
    inner join spend
        on forecasts.business_month <= spend.business_day and forecasts.forecast_on > spend.business_day
    left join unread on spend.business_day = unread.business_day
    where unread.business_day is null
    group by forecasts.business_month, forecasts.forecast_on, spend.cost_centre, spend.currency
),

final as (
    select
        forecasts.business_month,
        forecasts.forecast_on,
        forecasts.is_present,
        series.cost_centre,
        series.currency,
        date_diff('day', forecasts.business_month, forecasts.forecast_on) as days_known,
        cast(coalesce(known.known_cost, 0) as decimal(38, 6)) as known_cost,
        coalesce(expected.weeks, 0) as weeks,
        expected.expected,
        expected.expected_low,
        expected.expected_high
    from forecasts
    cross join series
    left join known
        on
            forecasts.business_month = known.business_month
            and forecasts.forecast_on = known.forecast_on
            and series.cost_centre = known.cost_centre
            and series.currency = known.currency
    left join expected
        on
            forecasts.business_month = expected.business_month
            and forecasts.forecast_on = expected.forecast_on
            and series.cost_centre = expected.cost_centre
            and series.currency = expected.currency
    where series.first_day < forecasts.business_month + interval 1 month
)

select * from final
