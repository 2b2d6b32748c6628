-- One row a business day, country and currency, beside what was usual in the 28 days before it.
with days as (
    select * from intermediate.int_sms_daily
),

counted as (
    select
        days.business_day,
        days.country_code,
        any_value(days.country_name) as country_name,
        days.currency,
        cast(sum(days.messages) as bigint) as messages,
        cast(sum(days.delivered) as bigint) as delivered,
        cast(sum(days.settled) as bigint) as settled,
        cast(sum(days.priced) as bigint) as priced,
        cast(sum(days.cost) as decimal(38, 6)) as cost,
        max(days.changed_at) as changed_at
    from days
    group by days.business_day, days.country_code, days.currency
),

first_day as (
    select min(counted.business_day) as business_day from counted
),

compared as (
    select
        counted.*,
        cast(
            least(28, date_diff('day', first_day.business_day, counted.business_day)) as bigint
        ) as baseline_days,
        coalesce(sum(counted.messages) over before, 0) as baseline_messages,
        coalesce(sum(counted.delivered) over before, 0) as baseline_delivered,
        coalesce(sum(counted.settled) over before, 0) as baseline_settled,
        cast(coalesce(sum(counted.cost) over before, 0) as decimal(38, 6)) as baseline_cost
    from counted
    cross join first_day
    window before as (
        partition by counted.country_code, counted.currency
        order by counted.business_day range between interval 28 day preceding and interval 1 day preceding
    )
),

final as (
    select
        compared.business_day,
        compared.country_code,
        compared.country_name,
        compared.currency,
        compared.messages,
        compared.delivered,
        rate(compared.delivered, compared.settled) as delivery_rate,
        rate(compared.delivered, compared.messages) as accepted_delivery_rate,
        compared.cost,
        compared.baseline_days,
        exact_division(compared.baseline_messages, compared.baseline_days) as baseline_messages_per_day,
        rate(compared.baseline_delivered, compared.baseline_settled) as baseline_delivery_rate,
        exact_division(compared.baseline_cost, compared.baseline_days) as baseline_cost_per_day,
        rate(compared.settled, compared.messages) as share_settled,
        rate(compared.priced, compared.messages) as share_priced,
        compared.changed_at
    from compared
)

select * from final
