-- One row a business day, country, service and currency: the price per part that most messages had.
-- Those that cost nothing, as what is not sent does, do not count.
with sms as (
    select * from marts.fct_sms
),

counted as (
    select
        sms.business_day,
        sms.country_code,
        sms.service_code,
        sms.currency,
        sms.unit_price,
        count(*) as messages
    from sms
    where sms.unit_price > 0
    group by sms.business_day, sms.country_code, sms.service_code, sms.currency, sms.unit_price
),

ranked as (
    select
        counted.*,
        row_number() over (
            partition by counted.business_day, counted.country_code, counted.service_code, counted.currency
            order by counted.messages desc, counted.unit_price asc
        ) as place
    from counted
),

final as (
    select
        ranked.business_day,
        ranked.country_code,
        ranked.service_code,
        ranked.currency,
        ranked.unit_price as usual_unit_price,
        ranked.messages
    from ranked
    where ranked.place = 1
)

select * from final
