-- One row a booked month, currency and tax: the month's net sum at one rate, and the tax on it, as a line of
-- an invoice.
-- A view: corrections are booked after the models are built.
with booked as (
    select * from marts.cost_booked
),

taxes as (
    select * from seeds.tax
),

-- A rate for the country is taken before one for all.
rated as (
    select
        booked.booked_month,
        booked.currency,
        booked.messages,
        booked.cost,
        coalesce(of_country.rate, of_all.rate) as tax_rate,
        case when of_country.rate is not null then of_country.label else of_all.label end as label
    from booked
    left join taxes as of_country
        on
            booked.country_code = of_country.country_code
            and booked.business_day >= of_country.valid_from
            and booked.business_day <= coalesce(of_country.valid_to, date '9998-12-31')
    left join taxes as of_all
        on
            of_all.country_code is null
            and booked.business_day >= of_all.valid_from
            and booked.business_day <= coalesce(of_all.valid_to, date '9998-12-31')
),

summed as (
    select
        rated.booked_month,
        rated.currency,
        rated.tax_rate,
        rated.label,
        cast(sum(rated.messages) as bigint) as messages,
        cast(sum(rated.cost) as decimal(38, 6)) as net
    from rated
    group by rated.booked_month, rated.currency, rated.tax_rate, rated.label
),

-- Of decimals: half a cent is rounded away from zero, exactly.
rounded as (
    select
        summed.*,
        case
            when summed.tax_rate is null then 'no rate'
            else coalesce(summed.label || ' ', '') || cast(summed.tax_rate as varchar)
        end as tax,
        cast(summed.net as decimal(38, 2)) as net_rounded,
        cast(summed.net * summed.tax_rate as decimal(38, 2)) as tax_amount
    from summed
),

final as (
    select
        rounded.booked_month,
        rounded.currency,
        rounded.tax,
        rounded.tax_rate,
        rounded.label,
        rounded.messages,
        rounded.net,
        rounded.net_rounded,
        rounded.tax_amount,
        cast(rounded.net_rounded + rounded.tax_amount as decimal(38, 2)) as gross
    from rounded
)

select * from final
