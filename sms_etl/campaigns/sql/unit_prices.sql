-- One row a country, service and currency: what a part cost on the newest day of which that is known.
with usual as (
    select * from intermediate.int_usual_price
),

ranked as (
    select
        usual.country_code,
        usual.service_code,
        usual.currency,
        usual.usual_unit_price,
        usual.business_day,
        row_number() over (
            partition by usual.country_code, usual.service_code, usual.currency
            order by usual.business_day desc
        ) as place
    from usual
)

select
    ranked.country_code,
    ranked.service_code,
    ranked.currency,
    ranked.usual_unit_price,
    ranked.business_day
from ranked
where ranked.place = 1
