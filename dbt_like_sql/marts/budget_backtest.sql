-- One row a month that is over, number of days that were known, cost centre and currency: the forecast
-- that was made then, beside what the month came to.
with forecasts as (
    select * from intermediate.int_forecast
),

spend as (
    select * from intermediate.int_spend_daily
),

coverage as (
    select * from marts.coverage_monthly
),

came as (
    select
        cast(date_trunc('month', spend.business_day) as date) as business_month,
        spend.cost_centre,
        spend.currency,
        sum(spend.cost + spend.estimated_cost) as came_to
    from spend
    group by date_trunc('month', spend.business_day), spend.cost_centre, spend.currency
),

final as (
    select
        forecasts.business_month,
        forecasts.days_known,
        forecasts.cost_centre,
        forecasts.currency,
        forecasts.cost_centre = '*' as is_total,
        forecasts.weeks,
        forecasts.known_cost,
        cast(forecasts.known_cost + forecasts.expected as decimal(38, 6)) as forecast,
        cast(forecasts.known_cost + forecasts.expected_low as decimal(38, 6)) as forecast_low,
        cast(forecasts.known_cost + forecasts.expected_high as decimal(38, 6)) as forecast_high,
        cast(coalesce(came.came_to, 0) as decimal(38, 6)) as came_to,
        cast(
            forecasts.known_cost + forecasts.expected - coalesce(came.came_to, 0) as decimal(38, 6)
        ) as forecast_error,
        coalesce(came.came_to, 0) between forecasts.known_cost + forecasts.expected_low
        and forecasts.known_cost + forecasts.expected_high as is_in_range,
        coalesce(coverage.is_complete, false) as is_complete
    from forecasts
    left join came
        on
            forecasts.business_month = came.business_month
            and forecasts.cost_centre = came.cost_centre
            and forecasts.currency = came.currency
    left join coverage on forecasts.business_month = coverage.business_month
    where not forecasts.is_present and forecasts.weeks > 0
)

select * from final
