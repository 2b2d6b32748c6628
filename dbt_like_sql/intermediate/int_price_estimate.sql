-- One row a business day, country, service and currency: the price per part to go by for what has none.
-- It is the usual price per part of the newest day before, at most 92 days back.
with days as (
    select * from intermediate.int_sms_daily
),

usual as (
    select * from intermediate.int_usual_price
),

ranked as (
    select
        days.business_day,
        days.country_code,
        days.service_code,
        days.currency,
        usual.usual_unit_price,
        row_number() over (
            partition by days.business_day, days.country_code, days.service_code, days.currency
            order by usual.business_day desc
        ) as place
    from days
    left join usual
        on
            days.country_code = usual.country_code
            and days.service_code = usual.service_code
            and days.currency = usual.currency
            and days.business_day > usual.business_day
            and usual.business_day >= days.business_day - interval 92 day
),

final as (
    select
        ranked.business_day,
        ranked.country_code,
        ranked.service_code,
        ranked.currency,
        ranked.usual_unit_price
    from ranked
    where ranked.place = 1
)

select * from final
