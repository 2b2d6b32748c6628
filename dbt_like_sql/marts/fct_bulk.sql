-- One row a bulk: what the provider says of it beside what its messages add up to.
-- A dry run sends nothing and costs nothing, whatever estimate the provider shows.
with bulks as (
    select * from staging.stg_bulk
),

status_codes as (
    select * from seeds.bulk_status_codes
),

rules as (
    select * from intermediate.int_cost_centre_rule
),

sms as (
    select * from marts.fct_sms
),

campaigns as (
    select * from ops.campaign
),

context as (
    select * from ops.build_context
),

-- By currency too, so that amounts in two currencies are never added.
sent as (
    select
        sms.bulk_id,
        sms.currency,
        count(*) as messages,
        cast(sum(sms.parts) as bigint) as parts,
        count(*) filter (where not sms.has_price) as unpriced,
        count(*) filter (where sms.delivery_status = 'delivered') as delivered,
        count(*) filter (where sms.delivery_status = 'failed') as failed,
        count(*) filter (where sms.delivery_status = 'expired') as expired,
        count(*) filter (where sms.delivery_status = 'rejected') as rejected,
        count(*) filter (where sms.delivery_status = 'cancelled') as cancelled,
        count(*) filter (where not sms.is_final) as open,
        sum(sms.price) as cost,
        min(sms.cost_centre) as first_cost_centre,
        max(sms.cost_centre) as last_cost_centre
    from sms
    where sms.bulk_id is not null
    group by sms.bulk_id, sms.currency
),

placed as (
    select
        bulks.uuid,
        bulks.key_id,
        bulks.source,
        cast(timezone(context.timezone, timezone('UTC', bulks.created_at)) as date) as business_day
    from bulks
    cross join context
),

-- What a bulk without messages says of itself: rules by sender and callback_data are about messages.
named as (
    select
        placed.uuid,
        rules.strength,
        rules.cost_centre,
        rules.first_day <= placed.business_day and rules.last_day >= placed.business_day as is_valid
    from placed
    inner join rules on rules.matched_by = 'bulk' and placed.uuid = rules.bulk_id
    union all
    select
        placed.uuid,
        rules.strength,
        rules.cost_centre,
        rules.first_day <= placed.business_day and rules.last_day >= placed.business_day as is_valid
    from placed
    inner join rules on rules.matched_by = 'key' and placed.key_id = rules.key_id
    union all
    select
        placed.uuid,
        rules.strength,
        rules.cost_centre,
        rules.first_day <= placed.business_day and rules.last_day >= placed.business_day as is_valid
    from placed
    inner join rules on rules.matched_by = 'source' and placed.source = rules.source
),

strongest as (
    select
        named.uuid,
        named.cost_centre,
        row_number() over (partition by named.uuid order by named.strength desc) as place
    from named
    where named.is_valid
),

joined as (
    select
        bulks.*,
        coalesce(status_codes.bulk_status, 'unknown') as bulk_status,
        coalesce(status_codes.is_final, false) as is_final,
        case
            when sent.first_cost_centre != sent.last_cost_centre then 'several'
            else coalesce(sent.first_cost_centre, strongest.cost_centre, 'unassigned')
        end as cost_centre,
        coalesce(sent.messages, 0) as messages,
        coalesce(sent.parts, 0) as parts,
        coalesce(sent.unpriced, 0) as unpriced,
        coalesce(sent.delivered, 0) as delivered,
        coalesce(sent.failed, 0) as failed,
        coalesce(sent.expired, 0) as expired,
        coalesce(sent.rejected, 0) as rejected,
        coalesce(sent.cancelled, 0) as cancelled,
        coalesce(sent.open, 0) as open,
        cast(coalesce(sent.cost, 0) as decimal(38, 6)) as cost,
        campaigns.key as campaign_key,
        campaigns.recipients as messages_planned,
        campaigns.cost_planned,
        cast(timezone(context.timezone, timezone('UTC', bulks.created_at)) as date) as business_day
    from bulks
    cross join context
    left join status_codes on bulks.status_code = status_codes.status_code
    left join strongest on bulks.uuid = strongest.uuid and strongest.place = 1
    left join sent on bulks.uuid = sent.bulk_id and bulks.currency = sent.currency
    left join campaigns on bulks.uuid = campaigns.bulk_id and bulks.currency = campaigns.currency
),

final as (
    select
        joined.uuid as bulk_id,
        joined.created_at,
        joined.scheduled_at,
        joined.processed_at,
        joined.status_code,
        joined.bulk_status,
        joined.is_final,
        joined.is_dryrun,
        joined.service_code,
        joined.key_id,
        joined.cost_centre,
        joined.source,
        case
            when joined.is_unicode then 'ucs2'
            when not joined.is_unicode then 'gsm7'
        end as encoding,
        joined.messages,
        joined.parts,
        joined.unpriced,
        joined.delivered,
        joined.failed,
        joined.expired,
        joined.rejected,
        joined.cancelled,
        joined.open,
        joined.cost,
        joined.messages_reported,
        joined.cost_reported,
        joined.currency,
        case
            when not joined.is_dryrun then joined.messages - joined.messages_reported
        end as messages_difference,
        case when not joined.is_dryrun then joined.cost - joined.cost_reported end as cost_difference,
        joined.gone_at is not null as is_gone,
        joined.business_day,
        cast(date_trunc('month', joined.business_day) as date) as business_month,
        joined.campaign_key,
        joined.messages_planned,
        joined.cost_planned
    from joined
)

select * from final
