-- One row a business day, sender, template, kind and set of characters: parts that a few characters cost.
-- Only messages of which the text was seen; of a text only features are kept, see docs/personal-data.md.
with sms as (
    select * from marts.fct_sms
),

measured as (
    select
        sms.business_day,
        coalesce(sms.sender_id, 'unknown') as sender_id,
        coalesce(sms.text_template, 'erased') as text_template,
        sms.encoding,
        sms.text_non_gsm,
        sms.text_units as units,
        sms.parts,
        sms.unit_price,
        sms.currency,
        sms.is_final,
        sms.has_price,
        sms.changed_at,
        -- Units of UCS-2 are as many septets, but for `^ { } \ [ ~ ] | €`; 670 is the longest text.
        1 + cast(sms.text_units > 160 as integer) + cast(sms.text_units > 306 as integer)
        + cast(sms.text_units > 459 as integer) + cast(sms.text_units > 612 as integer) as parts_as_gsm,
        case when sms.parts = 2 then 160 else 153 * (sms.parts - 1) end as room_in_one_part_less
    from sms
    where not sms.is_voice and sms.text_units is not null and sms.parts is not null
),

judged as (
    select
        measured.*,
        case
            when measured.encoding = 'ucs2' and measured.text_non_gsm = '{}' then 'needless_unicode'
            when measured.encoding = 'ucs2' then 'unicode'
            else 'one_part_more'
        end as kind,
        case
            when measured.encoding = 'ucs2' then measured.parts - measured.parts_as_gsm
            when measured.units - measured.room_in_one_part_less between 1 and 10 then 1
        end as extra_parts,
        case
            when measured.encoding = 'gsm7' then measured.units - measured.room_in_one_part_less
        end as units_over
    from measured
    where measured.encoding = 'ucs2' or measured.parts > 1
),

final as (
    select
        judged.business_day,
        judged.sender_id,
        judged.text_template,
        judged.kind,
        judged.text_non_gsm as characters,
        judged.currency,
        count(*) as messages,
        cast(sum(judged.parts) as bigint) as parts,
        cast(sum(judged.extra_parts) as bigint) as extra_parts,
        max(judged.units_over) as most_units_over,
        cast(coalesce(sum(judged.unit_price * judged.extra_parts), 0) as decimal(38, 6)) as cost_wasted,
        rate(count(*) filter (where judged.is_final), count(*)) as share_settled,
        rate(count(*) filter (where judged.has_price), count(*)) as share_priced,
        max(judged.changed_at) as changed_at
    from judged
    where judged.extra_parts > 0
    group by
        judged.business_day, judged.sender_id, judged.text_template, judged.kind, judged.text_non_gsm,
        judged.currency
)

select * from final
