-- One row a country, by its code and name, whether it has messages or not.
select
    country.country_code,
    country.country_name
from marts.dim_country as country
union distinct
select
    closed.country_code,
    closed.country_code as country_name
from finance.closed_line as closed
anti join marts.dim_country as country on closed.country_code = country.country_code
order by 1
