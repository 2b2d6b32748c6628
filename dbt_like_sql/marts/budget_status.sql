-- One row a month, cost centre and currency that has a budget or was charged anything: how far the budget is
-- used, and whether it will hold. A view: corrections are booked after the models are built.
with budgets as (
    select * from seeds.budgets
),

booked as (
    select * from marts.cost_booked
),

spend as (
    select * from intermediate.int_spend_daily
),

closed_months as (
    select * from intermediate.int_closed_month
),

forecasts as (
    select * from intermediate.int_forecast
),

as_of as (
    select * from intermediate.int_as_of
),

unread as (
    select * from intermediate.int_unread_day
),

charged as (
    select
        booked.booked_month as business_month,
        booked.cost_centre,
        booked.currency,
        sum(case when booked.entry = 'message' then booked.messages else 0 end) as messages,
        sum(booked.unpriced) as unpriced,
        sum(case when booked.entry = 'message' then booked.cost else 0 end) as cost,
        sum(case when booked.entry = 'correction' then booked.cost else 0 end) as corrections,
        sum(
            case when booked.entry = 'message' and unread.business_day is not null then booked.cost else 0 end
        ) as cost_of_days_missed
    from booked
    left join unread on booked.business_day = unread.business_day
    group by booked.booked_month, booked.cost_centre, booked.currency
    union all
    -- All cost centres together, where they have a budget together.
    select
        booked.booked_month as business_month,
        budgets.cost_centre,
        booked.currency,
        sum(case when booked.entry = 'message' then booked.messages else 0 end) as messages,
        sum(booked.unpriced) as unpriced,
        sum(case when booked.entry = 'message' then booked.cost else 0 end) as cost,
        sum(case when booked.entry = 'correction' then booked.cost else 0 end) as corrections,
        sum(
            case when booked.entry = 'message' and unread.business_day is not null then booked.cost else 0 end
        ) as cost_of_days_missed
    from booked
    left join unread on booked.business_day = unread.business_day
    inner join budgets
        on
            booked.booked_month = budgets.business_month
            and booked.currency = budgets.currency
            and budgets.cost_centre = '*'
    group by booked.booked_month, budgets.cost_centre, booked.currency
),

-- A closed month is what it was closed with: what gets a price later is a correction of another month.
estimated as (
    select
        cast(date_trunc('month', spend.business_day) as date) as business_month,
        spend.cost_centre,
        spend.currency,
        sum(spend.estimated_cost) as estimated_cost,
        sum(
            case when unread.business_day is not null then spend.estimated_cost else 0 end
        ) as estimated_cost_of_days_missed,
        sum(spend.without_estimate) as without_estimate
    from spend
    left join unread on spend.business_day = unread.business_day
    left join closed_months on date_trunc('month', spend.business_day) = closed_months.business_month
    where closed_months.business_month is null
    group by date_trunc('month', spend.business_day), spend.cost_centre, spend.currency
),

joined as (
    select
        coalesce(budgets.business_month, charged.business_month) as business_month,
        coalesce(budgets.cost_centre, charged.cost_centre) as cost_centre,
        coalesce(budgets.currency, charged.currency) as currency,
        budgets.line as budget_line,
        budgets.amount as budget,
        coalesce(charged.messages, 0) as messages,
        coalesce(charged.unpriced, 0) as unpriced,
        cast(coalesce(charged.cost, 0) as decimal(38, 6)) as cost,
        cast(coalesce(charged.corrections, 0) as decimal(38, 6)) as corrections,
        coalesce(charged.cost_of_days_missed, 0) as cost_of_days_missed
    from budgets
    full join charged
        on
            budgets.business_month = charged.business_month
            and budgets.cost_centre = charged.cost_centre
            and budgets.currency = charged.currency
),

missed as (
    select
        cast(date_trunc('month', unread.business_day) as date) as business_month,
        count(*) as days_missed
    from unread
    cross join as_of
    where unread.business_day < as_of.as_of_day
    group by date_trunc('month', unread.business_day)
),

measured as (
    select
        joined.*,
        coalesce(missed.days_missed, 0) as days_missed,
        as_of.as_of_day,
        joined.business_month < as_of.as_of_month as is_over,
        joined.business_month > as_of.as_of_month as is_ahead,
        cast(coalesce(estimated.estimated_cost, 0) as decimal(38, 6)) as estimated_cost,
        coalesce(estimated.estimated_cost_of_days_missed, 0) as estimated_cost_of_days_missed,
        coalesce(estimated.without_estimate, 0) as without_estimate,
        cast(joined.cost + joined.corrections as decimal(38, 6)) as spent,
        forecasts.weeks,
        coalesce(forecasts.known_cost, 0) as known_cost,
        forecasts.currency is not null as has_spent_before,
        forecasts.expected,
        forecasts.expected_low,
        forecasts.expected_high,
        date_diff(
            'day', joined.business_month, cast(joined.business_month + interval 1 month as date)
        ) as days_in_month
    from joined
    cross join as_of
    left join estimated
        on
            joined.business_month = estimated.business_month
            and joined.cost_centre = estimated.cost_centre
            and joined.currency = estimated.currency
    left join forecasts
        on
            forecasts.is_present
            and joined.business_month = forecasts.business_month
            and joined.cost_centre = forecasts.cost_centre
            and joined.currency = forecasts.currency
    left join missed on joined.business_month = missed.business_month
),

-- What the month will come to: what it has if it is over, and nothing more of who never spent anything.
forecast as (
    select
        measured.*,
        measured.cost + measured.estimated_cost as spent_by_messages,
        case
            when measured.is_ahead then 0
            when measured.is_over then measured.days_in_month - measured.days_missed
            else date_diff('day', measured.business_month, measured.as_of_day) - measured.days_missed
        end as days_known,
        case
            when measured.is_over
                then
                    measured.cost - measured.cost_of_days_missed
                    + measured.estimated_cost - measured.estimated_cost_of_days_missed
            else measured.known_cost
        end as cost_of_known_days,
        case
            when measured.is_over or (not measured.is_ahead and not measured.has_spent_before)
                then measured.cost + measured.estimated_cost
            when not measured.is_ahead then measured.known_cost + measured.expected
        end as expected_cost,
        case
            when measured.is_over or (not measured.is_ahead and not measured.has_spent_before)
                then measured.cost + measured.estimated_cost
            when not measured.is_ahead then measured.known_cost + measured.expected_low
        end as expected_cost_low,
        case
            when measured.is_over or (not measured.is_ahead and not measured.has_spent_before)
                then measured.cost + measured.estimated_cost
            when not measured.is_ahead then measured.known_cost + measured.expected_high
        end as expected_cost_high
    from measured
),

-- No month comes to less than was spent in it already.
bounded as (
    select
        forecast.*,
        cast(
            case
                when forecast.expected_cost is not null
                    then greatest(forecast.expected_cost, forecast.spent_by_messages) + forecast.corrections
            end as decimal(38, 6)
        ) as forecast_cost,
        cast(
            case
                when forecast.expected_cost_low is not null
                    then
                        greatest(forecast.expected_cost_low, forecast.spent_by_messages)
                        + forecast.corrections
            end as decimal(38, 6)
        ) as forecast_low,
        cast(
            case
                when forecast.expected_cost_high is not null
                    then
                        greatest(forecast.expected_cost_high, forecast.spent_by_messages)
                        + forecast.corrections
            end as decimal(38, 6)
        ) as forecast_high
    from forecast
),

final as (
    select
        bounded.business_month,
        bounded.cost_centre,
        bounded.currency,
        bounded.cost_centre = '*' as is_total,
        bounded.budget,
        bounded.budget_line,
        cast(bounded.messages as bigint) as messages,
        bounded.cost,
        bounded.corrections,
        bounded.spent,
        cast(bounded.unpriced as bigint) as unpriced,
        bounded.estimated_cost,
        cast(bounded.without_estimate as bigint) as without_estimate,
        bounded.days_known,
        bounded.days_in_month,
        exact_division(bounded.cost_of_known_days, bounded.days_known) as run_rate,
        case when not bounded.is_ahead and not bounded.is_over then coalesce(bounded.weeks, 0) end as weeks,
        bounded.forecast_cost as forecast,
        bounded.forecast_low,
        bounded.forecast_high,
        exact_division(
            case when bounded.spent > 0 then bounded.spent else 0 end * 1000000,
            cast(cast(bounded.budget as decimal(38, 6)) * 1000000 as hugeint)
        ) as share_used,
        case
            when bounded.budget is null then 'no_budget'
            when bounded.spent > bounded.budget then 'passed'
            when bounded.is_ahead then 'not_begun'
            when bounded.forecast_cost > bounded.budget then 'at_risk'
            else 'within'
        end as status,
        bounded.is_over,
        rate(bounded.messages - bounded.unpriced, bounded.messages) as share_priced,
        bounded.as_of_day
    from bounded
)

select * from final
