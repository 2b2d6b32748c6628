-- It holds for the same countries on the same days as another line.
-- models: seeds.tax
select
    later.line,
    earlier.line as other_line
from seeds.tax as earlier
inner join seeds.tax as later
    on
        earlier.country_code is not distinct from later.country_code
        and earlier.line < later.line
        and earlier.valid_from <= coalesce(later.valid_to, date '9998-12-31')
        and later.valid_from <= coalesce(earlier.valid_to, date '9998-12-31')
