-- One row a change of the usual price per part, with its effect on the month it came in.
with usual as (
    select * from intermediate.int_usual_price
),

days as (
    select * from intermediate.int_sms_daily
),

followed as (
    select
        usual.*,
        lag(usual.usual_unit_price) over line as price_before,
        lag(usual.business_day) over line as last_day_before
    from usual
    window line as (
        partition by usual.country_code, usual.service_code, usual.currency
        order by usual.business_day
    )
),

changes as (
    select
        followed.*,
        lead(followed.business_day) over (
            partition by followed.country_code, followed.service_code, followed.currency
            order by followed.business_day
        ) as next_change
    from followed
    where followed.usual_unit_price != followed.price_before
),

final as (
    select
        changes.country_code,
        changes.service_code,
        changes.currency,
        changes.business_day as changed_on,
        changes.last_day_before,
        changes.price_before,
        changes.usual_unit_price as price_after,
        cast(coalesce(sum(days.priced_parts), 0) as bigint) as parts_in_month,
        cast(
            coalesce(
                sum((changes.usual_unit_price - changes.price_before) * days.priced_parts), 0
            ) as decimal(38, 6)
        ) as effect_in_month
    from changes
    left join days
        on
            changes.country_code = days.country_code
            and changes.service_code = days.service_code
            and changes.currency = days.currency
            and changes.business_day <= days.business_day
            and days.business_day < coalesce(changes.next_change, date '9999-12-31')
            and date_trunc('month', changes.business_day) = date_trunc('month', days.business_day)
    group by
        changes.country_code, changes.service_code, changes.currency, changes.business_day,
        changes.last_day_before, changes.price_before, changes.usual_unit_price
)

select * from final
