-- One row a business day, pair of codes, country, service and currency: what was not delivered, and its cost.
with sms as (
    select * from marts.fct_sms
),

statuses as (
    select * from marts.dim_status
),

groups as (
    select
        sms.business_day,
        sms.country_code,
        sms.service_code,
        sms.currency,
        count(*) as messages,
        count(*) filter (where sms.is_final) as settled,
        count(*) filter (where sms.has_price) as priced,
        max(sms.changed_at) as changed_at
    from sms
    group by sms.business_day, sms.country_code, sms.service_code, sms.currency
),

failures as (
    select
        sms.business_day,
        sms.status_code,
        coalesce(sms.dlr_code, 0) as dlr_code,
        any_value(sms.delivery_status) as delivery_status,
        sms.country_code,
        any_value(sms.country_name) as country_name,
        sms.service_code,
        sms.currency,
        count(*) as messages,
        cast(coalesce(sum(sms.parts), 0) as bigint) as parts,
        count(*) filter (where not sms.has_price) as unpriced,
        cast(coalesce(sum(sms.price), 0) as decimal(38, 6)) as cost
    from sms
    where sms.is_final and sms.delivery_status != 'delivered'
    group by
        sms.business_day, sms.status_code, coalesce(sms.dlr_code, 0), sms.country_code, sms.service_code,
        sms.currency
),

final as (
    select
        failures.business_day,
        failures.status_code,
        failures.dlr_code,
        failures.delivery_status,
        statuses.status_meaning,
        statuses.dlr_meaning,
        failures.country_code,
        failures.country_name,
        failures.service_code,
        failures.currency,
        failures.messages,
        failures.parts,
        failures.unpriced,
        failures.cost,
        groups.settled as settled_in_group,
        rate(failures.messages, groups.settled) as share_of_settled,
        rate(groups.settled, groups.messages) as share_settled,
        rate(groups.priced, groups.messages) as share_priced,
        groups.changed_at
    from failures
    inner join groups
        on
            failures.business_day = groups.business_day
            and failures.country_code = groups.country_code
            and failures.service_code = groups.service_code
            and failures.currency = groups.currency
    left join statuses
        on failures.status_code = statuses.status_code and failures.dlr_code = statuses.dlr_code
)

select * from final
