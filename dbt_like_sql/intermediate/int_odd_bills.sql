-- One row a finding and message: its bill is not what its parts, its day or its status say.
with sms as (
    select * from marts.fct_sms
),

counted as (
    select
        sms.*,
        count(*) over (
            partition by sms.business_day, sms.country_code, sms.service_code, sms.currency, sms.unit_price
        ) as messages_at_this_price
    from sms
    where sms.unit_price > 0
),

compared as (
    select
        counted.*,
        first_value(counted.unit_price) over (
            partition by counted.business_day, counted.country_code, counted.service_code, counted.currency
            order by counted.messages_at_this_price desc, counted.unit_price asc
        ) as usual_unit_price
    from counted
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
        sms.uuid,
        sms.business_day,
        sms.country_code,
        sms.service_code,
        sms.currency,
        cast(0 as decimal(38, 6)) as expected,
        cast(sms.price as decimal(38, 6)) as found,
        cast(sms.price as decimal(38, 6)) as amount,
        sms.changed_at
    from sms
    where sms.delivery_status in ('failed', 'cancelled') and sms.price > 0
)

select * from final
