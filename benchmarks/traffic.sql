-- Messages by number: whatever is asked of number i is a function of i alone, so that a page server and a
-- warehouse that was filled by SQL agree without one having talked to the other.
-- A block of 10,000 messages lasts 77,760 seconds (1M in 90 days); 2,000 of a block are a bulk, all in one second.
with numbered as (
    select
        i,
        i % 10000 as place,
        hash(i) as h,
        hash(i + 500000000) as g
    from range($first, $first + $count) as r(i)
),

timed as (
    select
        *,
        place between 5000 and 6999 as is_bulk,
        cast($epoch + (i - place) // 10000 * 77760 + case
            when place < 5000 then floor(place * 7.776)
            when place < 7000 then 38880
            else 38880 + floor((place - 7000) * 12.96)
        end as bigint) as created,
        -- An odd factor is invertible in 32 bits: the number can be read back from the first group.
        printf(
            '%08x-%04x-11ef-8%03x-%012x',
            (i * 2654435761) % 4294967296,
            cast(h % 65536 as bigint),
            cast(h // 65536 % 4096 as bigint),
            cast(g % 281474976710656 as bigint)
        ) as uuid,
        cast(h // 1000 % 100 as integer) as luck,
        cast(g // 1000 % 100 as integer) as kind,
        lpad(cast(g % 1000000 as varchar), 6, '0') as code
    from numbered
),

placed as (
    select
        *,
        case when luck < 58 then 'DE' when luck < 75 then 'AT' when luck < 90 then 'CH' else 'FR' end as iso2,
        case when luck < 58 then '+4915555' when luck < 75 then '+4366055' when luck < 90 then '+4179555'
            else '+3363998' end || lpad(cast(h // 7 % 250000 as varchar), 6, '0') as phone,
        case
            when is_bulk then 'Sommerangebot: 20 % auf alles bis Sonntag, nur in Ihrer Filiale. Gutschein: SOMMER26. Abmelden: STOP an 33033.'
            when kind < 45 then 'Your Contoso code is ' || code || '. It is valid for 5 minutes. Never share it with anyone.'
            when kind < 65 then 'Ihre Bestellung ' || code || ' über ' || cast(h % 900 + 10 as varchar) || ',95 EUR wurde versandt und trifft am Dienstag zwischen 10 und 12 Uhr ein.'
            when kind < 85 then 'Erinnerung: Ihr Termin am ' || cast(h % 28 + 1 as varchar) || '.09. um ' || cast(g % 9 + 8 as varchar) || ':30 Uhr bei Dr. Weiß. Absagen bitte unter 030 555' || code || '.'
            when kind < 95 then 'Alert ' || code || ': disk on db-' || cast(h % 40 as varchar) || ' is ' || cast(g % 10 + 90 as varchar) || ' % full'
            else 'Danke für Ihren Einkauf 🎉 Ihr Bon: ' || code
        end as text
    from timed
)

select
    i,
    uuid,
    created,
    iso2,
    phone,
    text,
    not is_bulk and kind >= 95 as is_unicode,
    case when not is_bulk and kind >= 95 or length(text) <= 160 then 1 else 2 end as parts,
    case iso2 when 'DE' then '0.0719' when 'AT' then '0.0684' when 'CH' then '0.0675' else '0.0529' end as price,
    -- One digit where a report may still come (see page_server.py), so that it can be changed in place.
    case when luck < 93 then 1 when luck < 97 or i % 5 < 2 then 8 else 16 end as dlr_code,
    case when is_bulk then 'economy' else 'direct' end as service_code,
    case when is_bulk then 'CONTOSO' else 'Contoso' end as sender_id,
    case when is_bulk then 8207 + i // 10000 % 3 else 8291 + i % 7 end as key_id,
    case when is_bulk then printf('%08x-5b1c-11ef-8abc-00163e0f2a77', i // 10000) end as bulk_id,
    case when kind >= 45 and kind < 65 and not is_bulk then 'order-' || code end as callback_data
from placed
order by i
