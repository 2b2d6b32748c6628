-- Exactly one row says how far the data are.
-- models: marts.data_status
select count(*) as rows
from marts.data_status
having count(*) <> 1
