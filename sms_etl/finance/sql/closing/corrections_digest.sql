-- One row: how many corrections were booked to a month, and the SHA-256 of their text, as that of a day.
select
    count(*) as corrections,
    sha256(
        coalesce(
            string_agg(
                concat_ws(
                    '|',
                    correction.closed_month,
                    correction.uuid,
                    correction.kind,
                    correction.messages,
                    length(correction.currency) || ':' || correction.currency,
                    correction.amount,
                    length(correction.cost_centre) || ':' || correction.cost_centre,
                    length(correction.country_code) || ':' || correction.country_code,
                    length(correction.service_code) || ':' || correction.service_code,
                    epoch_us(correction.detected_at)
                ),
                chr(10)
                order by
                    correction.closed_month,
                    correction.uuid,
                    correction.currency,
                    correction.detected_at,
                    correction.kind,
                    correction.messages,
                    correction.amount
            ),
            ''
        )
    ) as digest
from finance.correction as correction
where correction.booked_month = getvariable('report_month')
