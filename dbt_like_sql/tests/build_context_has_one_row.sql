-- Models are crossed with the build context: without its one row they are empty, with two they are doubled.
-- models: marts.fct_sms
with contexts as (
    select count(*) as found from ops.build_context
)

select contexts.found
from contexts
where contexts.found != 1
