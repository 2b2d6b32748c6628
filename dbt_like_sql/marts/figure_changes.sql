-- One row a day of observation, day of the messages, kind of change and currency: why figures moved in the
-- last 35 days.
with changes as (
    select * from intermediate.int_figure_changes_daily
),

context as (
    select * from ops.build_context
),

final as (
    select
        changes.observed_day,
        changes.business_day,
        changes.kind,
        changes.currency,
        changes.changes,
        changes.messages,
        changes.amount
    from changes
    cross join context
    where
        changes.observed_day
        >= cast(timezone(context.timezone, timezone('UTC', context.as_of_at - interval 35 day)) as date)
)

select * from final
