-- Rules by callback_prefix, none of which matches a message, though messages have callback_data: is it stored
-- as a hash, or masked?
-- models: marts.fct_sms
-- severity: warn
with rules as (
    select
        prefixes.line,
        prefixes.callback_prefix,
        length(prefixes.callback_prefix) as prefix_length
    from seeds.cost_centres as prefixes
    where prefixes.callback_prefix is not null
),

lengths as (
    select distinct rules.prefix_length
    from rules
),

beginnings as (
    select distinct left(sms.callback_data, lengths.prefix_length) as callback_prefix
    from staging.stg_sms as sms
    cross join lengths
    where sms.callback_data is not null
),

matched as (
    select count(*) as rules
    from rules
    inner join beginnings on rules.callback_prefix = beginnings.callback_prefix
)

select rules.line
from rules
cross join matched
where matched.rules = 0 and exists (select 1 from beginnings)
