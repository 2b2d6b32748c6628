-- Country codes the provider sent that are in no list.
-- models: marts.dim_country
-- severity: warn
select country_code
from marts.dim_country
where not is_known
