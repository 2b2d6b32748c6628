-- One row: how far the data are, and whether they can be relied on. A view: it speaks of the file it is in.
with daily as (
    select * from marts.delivery_daily
),

watermark as (
    select max(watermark.watermark_at) as read_up_to
    from ops.watermark as watermark
    where watermark.stream = 'sms'
),

account as (
    select
        max(account.account_id) as account_id,
        max(account.currency) as currency,
        coalesce(bool_or(account.is_sandbox), false) as is_sandbox
    from ops.account as account
),

quarantine as (
    select count(*) as quarantine_open
    from marts.quarantined_rows as quarantine
    where quarantine.replayed_at is null and quarantine.accepted_at is null
),

publication as (
    select
        max(publication.published_at) as published_at,
        coalesce(arg_max(publication.is_forced, publication.published_at), false) as is_forced,
        arg_max(publication.forced_reason, publication.published_at) as forced_reason
    from ops.publication as publication
),

settled as (
    select
        coalesce(sum(daily.messages), 0) as messages,
        coalesce(sum(daily.messages) - sum(daily.open), 0) as messages_final
    from daily
),

final as (
    select
        watermark.read_up_to,
        context.built_at,
        publication.published_at,
        rate(settled.messages_final, settled.messages) as share_settled,
        quarantine.quarantine_open,
        account.is_sandbox,
        account.account_id,
        account.currency,
        publication.is_forced,
        case when publication.is_forced then publication.forced_reason end as forced_reason
    from ops.build_context as context
    cross join watermark
    cross join account
    cross join quarantine
    cross join publication
    cross join settled
)

select * from final
