-- One row a booked month and currency: the sum of its tax_lines; tax and gross only where each has a rate.
with lines as (
    select * from marts.tax_lines
),

summed as (
    select
        lines.booked_month,
        lines.currency,
        cast(sum(lines.messages) as bigint) as messages,
        cast(sum(lines.net) as decimal(38, 6)) as net,
        cast(
            sum(case when lines.tax_rate is null then lines.net else 0 end) as decimal(38, 6)
        ) as net_without_rate,
        cast(sum(lines.net_rounded) as decimal(38, 2)) as net_rounded,
        cast(sum(lines.tax_amount) as decimal(38, 2)) as tax_amount,
        cast(sum(lines.gross) as decimal(38, 2)) as gross,
        count(*) filter (where lines.tax_rate is null) = 0 as is_taxed
    from lines
    group by lines.booked_month, lines.currency
),

final as (
    select
        summed.booked_month,
        summed.currency,
        summed.messages,
        summed.net,
        summed.net_without_rate,
        summed.net_rounded,
        case when summed.is_taxed then summed.tax_amount end as tax_amount,
        case when summed.is_taxed then summed.gross end as gross
    from summed
)

select * from final
