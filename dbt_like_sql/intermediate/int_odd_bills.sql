-- One row a finding and message: its bill is not what its parts, its day or its status say.
-- `marts.fct_sms` has a name for each use: what is named twice is held in memory whole.
with sms as (
    select * from marts.fct_sms
),

priced as (
    select * from marts.fct_sms
),

unsent as (
    select * from marts.fct_sms
),

billed as (
    select * from marts.fct_sms
),

counted as (
    select
        priced.business_day,
        priced.country_code,
        priced.service_code,
        priced.currency,
        priced.unit_price,
        count(*) as messages
    from priced
    where priced.unit_price > 0
    group by
        priced.business_day, priced.country_code, priced.service_code, priced.currency, priced.unit_price
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

compared as (
    select
        billed.uuid,
        billed.business_day,
        billed.country_code,
        billed.service_code,
        billed.currency,
        billed.unit_price,
        billed.price,
        billed.parts,
        billed.changed_at,
        ranked.unit_price as usual_unit_price
    from billed
    inner join ranked
        on
            billed.business_day = ranked.business_day
            and billed.country_code = ranked.country_code
            and billed.service_code = ranked.service_code
            and billed.currency = ranked.currency
    where ranked.place = 1 and billed.unit_price > 0
),

final as (
    select
        'parts_differ' as finding,
        sms.uuid,
        sms.business_day,
        sms.country_code,
        sms.service_code,
        sms.currency,
        cast(sms.text_parts as decimal(38, 6)) as expected,
        cast(sms.parts as decimal(38, 6)) as found,
        cast(sms.unit_price * (sms.parts - sms.text_parts) as decimal(38, 6)) as amount,
        sms.changed_at
    from sms
    where not sms.is_voice and sms.parts != sms.text_parts
    union all
    select
        'price_per_part_differs' as finding,
        compared.uuid,
        compared.business_day,
        compared.country_code,
        compared.service_code,
        compared.currency,
        cast(compared.usual_unit_price as decimal(38, 6)) as expected,
        cast(compared.unit_price as decimal(38, 6)) as found,
        cast(compared.price - compared.usual_unit_price * compared.parts as decimal(38, 6)) as amount,
        compared.changed_at
    from compared
    where compared.unit_price != compared.usual_unit_price
    union all
    select
        'billed_though_not_sent' as finding,
        unsent.uuid,
        unsent.business_day,
        unsent.country_code,
        unsent.service_code,
        unsent.currency,
        cast(0 as decimal(38, 6)) as expected,
        cast(unsent.price as decimal(38, 6)) as found,
        cast(unsent.price as decimal(38, 6)) as amount,
        unsent.changed_at
    from unsent
    where unsent.delivery_status in ('failed', 'cancelled') and unsent.price > 0
)

select * from final
