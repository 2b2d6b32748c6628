-- One row a month, country, service and currency: what messages without a price will cost by estimate, and
-- how far the same estimate would have been off where the price is known by now.
-- The estimate is the usual price per part of the newest day before the message's own, at most 92 days back.
with days as (
    select * from intermediate.int_sms_daily
),

prices as (
    select * from intermediate.int_price_estimate
),

estimated as (
    select
        days.*,
        prices.usual_unit_price
    from days
    left join prices
        on
            days.business_day = prices.business_day
            and days.country_code = prices.country_code
            and days.service_code = prices.service_code
            and days.currency = prices.currency
),

final as (
    select
        cast(date_trunc('month', estimated.business_day) as date) as business_month,
        estimated.country_code,
        estimated.service_code,
        estimated.currency,
        cast(sum(estimated.unpriced) as bigint) as unpriced,
        cast(sum(estimated.unpriced_parts) as bigint) as unpriced_parts,
        cast(
            coalesce(sum(estimated.usual_unit_price * estimated.unpriced_parts), 0) as decimal(38, 6)
        ) as estimated_cost,
        cast(
            coalesce(sum(estimated.unpriced) filter (where estimated.usual_unit_price is null), 0) as bigint
        ) as without_estimate,
        cast(
            coalesce(sum(estimated.usual_unit_price * estimated.priced_parts), 0) as decimal(38, 6)
        ) as backtest_estimate,
        cast(
            coalesce(
                sum(estimated.priced_cost) filter (where estimated.usual_unit_price is not null), 0
            ) as decimal(38, 6)
        ) as backtest_cost,
        rate(sum(estimated.settled), sum(estimated.messages)) as share_settled,
        rate(sum(estimated.priced), sum(estimated.messages)) as share_priced,
        max(estimated.changed_at) as changed_at
    from estimated
    group by
        date_trunc('month', estimated.business_day), estimated.country_code, estimated.service_code,
        estimated.currency
    having sum(estimated.unpriced) > 0 or sum(estimated.priced_parts) > 0
)

select * from final
