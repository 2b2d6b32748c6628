-- One row a business day of a closed month, currency, cost centre, country and service, as it was closed.
with lines as (
    select * from finance.closed_line
),

final as (
    select
        lines.business_day,
        lines.currency,
        lines.cost_centre,
        lines.country_code,
        lines.service_code,
        count(*) as messages,
        count(*) filter (where lines.price is null) as unpriced,
        cast(coalesce(sum(lines.price), 0) as decimal(38, 6)) as cost
    from lines
    group by
        lines.business_day, lines.currency, lines.cost_centre, lines.country_code, lines.service_code
)

select * from final
