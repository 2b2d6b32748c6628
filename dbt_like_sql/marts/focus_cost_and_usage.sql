-- One row a business day, currency, cost centre, country, service, price and number of parts of a message,
-- calls apart from texts: a charge as FOCUS 1.4 has it. Messages without a price are in none: FOCUS has no
-- place for an unknown cost.
with sms as (
    select * from marts.fct_sms
),

account as (
    select * from ops.account
),

context as (
    select * from ops.build_context
),

summed as (
    select
        sms.business_day,
        sms.currency,
        sms.cost_centre,
        sms.country_code,
        any_value(sms.country_name) as country_name,
        sms.service_code,
        sms.price,
        coalesce(sms.parts, 0) as parts,
        sms.is_voice,
        count(*) as messages,
        cast(sum(sms.price) as decimal(38, 6)) as cost
    from sms
    where sms.has_price
    group by
        sms.business_day,
        sms.currency,
        sms.cost_centre,
        sms.country_code,
        sms.service_code,
        sms.price,
        coalesce(sms.parts, 0),
        sms.is_voice
),

-- A negative price is a credit. It is no unit price, and nothing was used for it.
judged as (
    select
        summed.*,
        summed.price >= 0 as is_usage
    from summed
),

final as (
    select
        judged.business_day,
        judged.cost_centre,
        judged.country_code,
        judged.service_code,
        judged.price as message_price,
        judged.parts as message_parts,
        judged.is_voice,
        judged.messages,
        judged.cost as billed_cost,
        account.account_id as billing_account_id,
        cast(null as varchar) as billing_account_name,
        judged.currency as billing_currency,
        timezone(
            'UTC',
            timezone(
                context.timezone,
                cast(date_trunc('month', judged.business_day) as timestamp) + interval 1 month
            )
        ) as billing_period_end,
        timezone(
            'UTC', timezone(context.timezone, cast(date_trunc('month', judged.business_day) as timestamp))
        ) as billing_period_start,
        case when judged.is_usage then 'Usage' else 'Credit' end as charge_category,
        cast(null as varchar) as charge_class,
        case when judged.is_usage then '' else 'Credit: ' end
        || case when judged.is_voice then 'voice calls to ' else 'SMS to ' end
        || case when judged.country_code = 'ZZ' then 'an unknown country' else judged.country_name end
        || ', ' || judged.service_code
        || case
            when judged.is_voice or judged.parts = 0 then ''
            when judged.parts = 1 then ', 1 part'
            else ', ' || judged.parts || ' parts'
        end
        || ', ' || judged.currency || ' ' || cast(judged.price as varchar) || ' each' as charge_description,
        case when judged.is_usage then 'Usage-Based' else 'One-Time' end as charge_frequency,
        timezone(
            'UTC', timezone(context.timezone, cast(judged.business_day as timestamp) + interval 1 day)
        ) as charge_period_end,
        timezone(
            'UTC', timezone(context.timezone, cast(judged.business_day as timestamp))
        ) as charge_period_start,
        case
            when not judged.is_usage then null
            when judged.is_voice or judged.parts = 0 then judged.messages
            else judged.messages * judged.parts
        end as consumed_quantity,
        case
            when not judged.is_usage then null
            when judged.is_voice then 'Calls'
            when judged.parts = 0 then 'Messages'
            else 'Parts'
        end as consumed_unit,
        judged.cost as contracted_cost,
        case when judged.is_usage then judged.price end as contracted_unit_price,
        judged.cost as effective_cost,
        case when account.is_sandbox then 'LOX24 sandbox' else 'LOX24' end as host_provider_name,
        cast(null as varchar) as invoice_detail_id,
        cast(null as varchar) as invoice_id,
        case when account.is_sandbox then 'LOX24 sandbox' else 'LOX24' end as invoice_issuer_name,
        judged.cost as list_cost,
        case when judged.is_usage then judged.price end as list_unit_price,
        case when judged.is_usage then 'Standard' end as pricing_category,
        case when judged.is_usage then judged.messages end as pricing_quantity,
        case
            when not judged.is_usage then null
            when judged.is_voice then 'Calls'
            else 'Messages'
        end as pricing_unit,
        nullif(judged.country_code, 'ZZ') as region_id,
        case when judged.country_code != 'ZZ' then judged.country_name end as region_name,
        'Mobile' as service_category,
        case when judged.is_voice then 'Text to speech' else 'SMS' end as service_name,
        case when account.is_sandbox then 'LOX24 sandbox' else 'LOX24' end as service_provider_name,
        'Other (Mobile)' as service_subcategory,
        judged.service_code as sku_id,
        case when judged.is_voice then 'Voice calls' else 'Text messages' end as sku_meter,
        case
            when not judged.is_usage then null
            when judged.is_voice
                then cast(json_object('x_DestinationCountry', judged.country_code) as varchar)
            else
                cast(
                    json_object(
                        'x_DestinationCountry', judged.country_code, 'x_PartsPerMessage', judged.parts
                    ) as varchar
                )
        end as sku_price_details,
        case
            when not judged.is_usage then null
            when judged.is_voice then judged.service_code || '/' || judged.country_code
            else judged.service_code || '/' || judged.country_code || '/' || judged.parts
        end as sku_price_id,
        nullif(judged.cost_centre, 'unassigned') as sub_account_id,
        nullif(judged.cost_centre, 'unassigned') as sub_account_name,
        case
            when judged.cost_centre != 'unassigned'
                then cast(json_object('cost_centre', judged.cost_centre) as varchar)
        end as tags
    from judged
    cross join context
    left join account on true
)

select * from final
