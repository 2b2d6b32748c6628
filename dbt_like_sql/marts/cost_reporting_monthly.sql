-- One row a booked month, reporting currency, currency and cost centre: the sum of its days, and how many
-- have no rate.
with days as (
    select * from marts.cost_reporting
),

final as (
    select
        days.booked_month,
        days.reporting_currency,
        days.currency,
        days.cost_centre,
        cast(sum(days.messages) as bigint) as messages,
        cast(sum(days.cost) as decimal(38, 6)) as cost,
        cast(sum(days.cost_reporting) as decimal(38, 6)) as cost_reporting,
        cast(
            sum(case when days.rate is null then days.cost else 0 end) as decimal(38, 6)
        ) as cost_without_rate,
        count(distinct days.business_day) as days,
        count(distinct case when days.rate is null then days.business_day end) as days_without_rate
    from days
    group by days.booked_month, days.reporting_currency, days.currency, days.cost_centre
)

select * from final
