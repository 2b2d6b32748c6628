-- One row per observed change of a message, its first sighting included.
with changes as (
    select * from raw.sms_change
),

final as (
    select
        changes.uuid,
        changes.observed_at,
        changes.observed_by,
        changes.status_code,
        changes.dlr_code,
        changes.is_sent,
        changes.is_text_deleted,
        changes.gateway_sent_at as sent_at,
        changes.price,
        changes.currency
    from changes
)

select * from final
