-- No column that analysts read is a float: money in one loses cents.
-- models: marts.fct_sms
select
    table_schema,
    table_name,
    column_name,
    data_type
from information_schema.columns
where
    table_schema in ('raw', 'seeds', 'staging', 'intermediate', 'marts')
    and data_type in ('FLOAT', 'DOUBLE', 'REAL')
