-- One row a bulk, newest state: the provider's fields under our names.
with bulks as (
    select * from raw.bulk
),

final as (
    select
        bulks.uuid,
        bulks.created_at,
        bulks.delivery_at as scheduled_at,
        bulks.processed_at,
        bulks.status_code,
        coalesce(nullif(bulks.service_code, ''), 'unknown') as service_code,
        bulks.voice_lang,
        bulks.key_id,
        bulks.source,
        bulks.is_unicode,
        coalesce(bulks.is_dryrun, false) as is_dryrun,
        bulks.is_text_deleted,
        bulks.msg_total_count as messages_reported,
        bulks.msg_total_cost as cost_reported,
        bulks.currency,
        bulks.first_seen_at,
        bulks.last_seen_at,
        bulks.changed_at,
        bulks.gone_at
    from bulks
)

select * from final
