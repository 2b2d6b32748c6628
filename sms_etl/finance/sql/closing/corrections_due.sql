-- One row a change in a closed month that is not booked yet: what the messages say now, less what was closed
-- and what was booked since. A month that stays as it was closed gives none.
with periods as (
    select period.month from finance.closed_period as period
),

-- A change is booked to the first month behind the closed one that is not closed.
booked_to as (
    select
        periods.month,
        cast(min(ends.month) + interval 1 month as date) as booked_month
    from periods
    inner join periods as ends on periods.month <= ends.month
    anti join periods as taken on ends.month + interval 1 month = taken.month
    group by periods.month
),

entries as (
    select
        lines.month,
        lines.uuid,
        lines.currency,
        1 as messages,
        coalesce(lines.price, 0) as amount,
        lines.cost_centre,
        lines.country_code,
        lines.service_code
    from finance.closed_line as lines
    union all
    select
        correction.closed_month as month,
        correction.uuid,
        correction.currency,
        correction.messages,
        correction.amount,
        correction.cost_centre,
        correction.country_code,
        correction.service_code
    from finance.correction as correction
),

booked as (
    select
        entries.month,
        entries.uuid,
        entries.currency,
        sum(entries.messages) as messages,
        sum(entries.amount) as amount
    from entries
    group by entries.month, entries.uuid, entries.currency
),

present as (
    select
        sms.business_month as month,
        sms.uuid,
        sms.currency,
        count(*) as messages,
        sum(coalesce(sms.price, 0)) as amount
    from marts.fct_sms as sms
    semi join periods on sms.business_month = periods.month
    group by sms.business_month, sms.uuid, sms.currency
),

changed as (
    select
        coalesce(present.month, booked.month) as month,
        coalesce(present.uuid, booked.uuid) as uuid,
        coalesce(present.currency, booked.currency) as currency,
        coalesce(present.messages, 0) - coalesce(booked.messages, 0) as messages,
        coalesce(present.amount, 0) - coalesce(booked.amount, 0) as amount
    from booked
    full join present
        on
            booked.month = present.month
            and booked.uuid = present.uuid
            and booked.currency = present.currency
    where
        coalesce(present.messages, 0) != coalesce(booked.messages, 0)
        or coalesce(present.amount, 0) != coalesce(booked.amount, 0)
),

-- What is known of the closed message stays as it was closed; of a late one, as it was then.
labels as (
    select
        entries.month,
        entries.uuid,
        any_value(entries.cost_centre) as cost_centre,
        any_value(entries.country_code) as country_code,
        any_value(entries.service_code) as service_code
    from entries
    semi join changed on entries.month = changed.month and entries.uuid = changed.uuid
    group by entries.month, entries.uuid
),

elsewhere as (
    select distinct
        changed.month,
        changed.uuid
    from changed
    inner join booked
        on changed.uuid = booked.uuid and changed.month != booked.month and booked.messages > 0
)

select
    changed.month as closed_month,
    booked_to.booked_month,
    changed.uuid,
    case
        when changed.messages = 0 then 'price'
        when count(*) over (partition by changed.month, changed.uuid) > 1 then 'currency'
        when changed.messages > 0 and elsewhere.uuid is not null then 'moved'
        when changed.messages > 0 then 'late'
        when sms.uuid is not null then 'moved'
        else 'removed'
    end as kind,
    cast(changed.messages as smallint) as messages,
    changed.currency,
    cast(changed.amount as decimal(18, 6)) as amount,
    coalesce(labels.cost_centre, sms.cost_centre) as cost_centre,
    coalesce(labels.country_code, sms.country_code) as country_code,
    coalesce(labels.service_code, sms.service_code) as service_code,
    getvariable('detected_at') as detected_at
from changed
inner join booked_to on changed.month = booked_to.month
left join labels on changed.month = labels.month and changed.uuid = labels.uuid
left join elsewhere on changed.month = elsewhere.month and changed.uuid = elsewhere.uuid
left join marts.fct_sms as sms on changed.uuid = sms.uuid
order by closed_month, changed.uuid, changed.currency
