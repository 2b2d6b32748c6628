-- One row a bulk that is no dry run: what was planned, what came of it, what it cost, and how long it took.
with bulks as (
    select * from marts.fct_bulk
),

sms as (
    select * from marts.fct_sms
),

sent as (
    select
        sms.bulk_id,
        sms.currency,
        count(sms.sent_at) as sent,
        min(sms.sent_at) as first_sent_at,
        max(sms.sent_at) as last_sent_at,
        max(sms.changed_at) as changed_at
    from sms
    where sms.bulk_id is not null
    group by sms.bulk_id, sms.currency
),

joined as (
    select
        bulks.bulk_id,
        bulks.business_day,
        bulks.bulk_status,
        bulks.service_code,
        bulks.key_id,
        bulks.cost_centre,
        bulks.currency,
        bulks.messages,
        bulks.delivered,
        bulks.open,
        bulks.unpriced,
        bulks.cost,
        bulks.cost_reported,
        coalesce(bulks.messages_planned, bulks.messages_reported) as messages_planned,
        coalesce(bulks.cost_planned, bulks.cost_reported) as cost_planned,
        case when bulks.campaign_key is not null then 'campaign' else 'provider' end as planned_by,
        greatest(bulks.created_at, coalesce(bulks.scheduled_at, bulks.created_at)) as due_at,
        coalesce(sent.sent, 0) as sent,
        sent.first_sent_at,
        sent.last_sent_at,
        sent.changed_at
    from bulks
    left join sent on bulks.bulk_id = sent.bulk_id and bulks.currency = sent.currency
    where not coalesce(bulks.is_dryrun, false)
),

final as (
    select
        joined.bulk_id,
        joined.business_day,
        joined.due_at,
        joined.bulk_status,
        joined.service_code,
        joined.key_id,
        joined.cost_centre,
        joined.currency,
        joined.messages_planned,
        joined.messages,
        joined.messages - joined.messages_planned as messages_difference,
        joined.sent,
        joined.delivered,
        joined.open,
        rate(joined.delivered, joined.messages - joined.open) as delivery_rate,
        rate(joined.delivered, joined.messages) as accepted_delivery_rate,
        joined.cost_planned,
        joined.cost,
        cast(joined.cost - joined.cost_planned as decimal(38, 6)) as cost_difference,
        exact_division(joined.cost, joined.delivered) as cost_per_delivered,
        joined.first_sent_at,
        joined.last_sent_at,
        case
            when joined.sent < joined.messages then null
            when joined.last_sent_at < joined.due_at then 0
            else date_diff('second', joined.due_at, joined.last_sent_at)
        end as seconds_to_finish,
        rate(joined.messages - joined.open, joined.messages) as share_settled,
        rate(joined.messages - joined.unpriced, joined.messages) as share_priced,
        joined.changed_at,
        joined.planned_by,
        joined.cost_reported
    from joined
)

select * from final
