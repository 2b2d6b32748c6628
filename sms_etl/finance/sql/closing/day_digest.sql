-- One row: how many lines a closed day has, and the SHA-256 of their text, one a line of text. What may hold
-- any sign stands behind its length, so that no two days have the same text.
select
    count(*) as lines,
    sha256(
        string_agg(
            concat_ws(
                '|',
                lines.uuid,
                epoch_us(lines.created_at),
                lines.business_day,
                length(lines.currency) || ':' || lines.currency,
                coalesce(cast(lines.price as varchar), '-'),
                coalesce(cast(lines.parts as varchar), '-'),
                length(lines.cost_centre) || ':' || lines.cost_centre,
                length(lines.country_code) || ':' || lines.country_code,
                length(lines.service_code) || ':' || lines.service_code,
                length(lines.delivery_status) || ':' || lines.delivery_status
            ),
            chr(10)
            order by lines.created_at, lines.uuid
        )
    ) as digest
from finance.closed_line as lines
where lines.month = getvariable('report_month') and lines.business_day = getvariable('closed_day')
