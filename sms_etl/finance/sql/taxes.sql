-- One row a currency and tax of the month, as on an invoice; none where no rate is known at all. Counted, not
-- asked with `exists`: of a view whose rates are all of countries DuckDB 2.0.0 answers that there are none.
select
    taxes.booked_month as month,
    taxes.currency,
    taxes.tax,
    taxes.net,
    taxes.tax_amount,
    taxes.gross
from marts.tax_lines as taxes
where
    taxes.booked_month = getvariable('report_month')
    and (
        select count(rated.tax_rate) from marts.tax_lines as rated
        where rated.booked_month = getvariable('report_month')
    ) > 0
order by taxes.currency, taxes.tax
