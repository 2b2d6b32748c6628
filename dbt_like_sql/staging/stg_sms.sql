-- One row a message, newest state: the provider's fields under our names, features of the text beside them.
with sms as (
    select * from raw.sms
),

final as (
    select
        sms.uuid,
        sms.created_at,
        sms.delivery_at as scheduled_at,
        sms.gateway_sent_at as sent_at,
        sms.status_code,
        sms.dlr_code,
        sms.is_sent,
        sms.is_text_deleted,
        sms.is_unicode,
        coalesce(nullif(upper(trim(sms.iso2)), ''), 'ZZ') as country_code,
        coalesce(nullif(sms.service_code, ''), 'unknown') as service_code,
        sms.voice_lang,
        sms.sender_id,
        sms.callback_data,
        sms.key_id,
        sms.bulk_id,
        sms.source,
        sms.chars_count as chars,
        sms.parts_count as parts,
        sms.price,
        sms.currency,
        sms.attempts_count_max,
        sms.phone_hash,
        sms.phone_masked,
        sms.phone_range,
        sms.text_units,
        sms.text_parts,
        sms.text_non_gsm,
        sms.text_template,
        sms.first_seen_at,
        sms.last_seen_at,
        sms.changed_at,
        sms.gone_at,
        sms.delivered_at
    from sms
)

select * from final
