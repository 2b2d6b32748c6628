-- Status or delivery report codes that are not documented; they count as unknown and not final.
-- models: marts.dim_status
-- severity: warn
select
    status_code,
    dlr_code
from marts.dim_status
where not is_known
