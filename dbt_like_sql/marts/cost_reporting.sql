-- One row of cost_booked and reporting currency: its cost in its own currency, the rate of its day, and
-- the cost in the other.
-- A view: corrections are booked after the models are built.
with booked as (
    select * from marts.cost_booked
),

rates as (
    select * from seeds.fx_rates
),

reporting as (
    select distinct rates.to_currency as reporting_currency
    from rates
),

rated as (
    select
        booked.*,
        reporting.reporting_currency,
        cast(
            case when booked.currency = reporting.reporting_currency then 1 else rates.rate end
            as decimal(18, 8)
        ) as rate,
        case when booked.currency != reporting.reporting_currency then rates.source end as rate_source
    from booked
    cross join reporting
    left join rates
        on
            booked.business_day = rates.rate_date
            and booked.currency = rates.from_currency
            and reporting.reporting_currency = rates.to_currency
),

final as (
    select
        rated.booked_month,
        rated.business_day,
        rated.entry,
        rated.currency,
        rated.cost_centre,
        rated.country_code,
        rated.country_name,
        rated.service_code,
        rated.reporting_currency,
        rated.messages,
        rated.unpriced,
        rated.cost,
        rated.rate,
        rated.rate_source,
        -- Of a decimal: half a millionth is rounded away from zero, exactly.
        cast(rated.cost * rated.rate as decimal(38, 6)) as cost_reporting
    from rated
)

select * from final
