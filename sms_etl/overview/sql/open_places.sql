-- One row a country, service and status of messages that are not final, by how long ago they were due; and
-- one of those that are. Beside it how many of the earlier ones never became final.
with sms as (
    select
        facts.country_code,
        facts.country_name,
        facts.service_code,
        case when not facts.is_final then facts.delivery_status end as status,
        facts.due_at,
        facts.is_aged_out,
        not facts.is_final and not facts.is_aged_out and not facts.is_gone as is_open,
        facts.due_at > getvariable('as_of_at') as is_ahead,
        facts.due_at <= getvariable('hour_ago') as is_hour_old,
        facts.due_at <= getvariable('day_ago') as is_day_old,
        facts.due_at <= getvariable('settled_until_at') as is_earlier
    from marts.fct_sms as facts
    where facts.due_at >= getvariable('open_from_at')
),

counted as (
    select
        sms.country_code,
        coalesce(any_value(sms.country_name), sms.country_code) as country,
        coalesce(sms.service_code, 'unknown') as service,
        sms.status,
        count(*) filter (where sms.is_open and sms.is_ahead) as ahead,
        count(*) filter (where sms.is_open and not sms.is_ahead and not sms.is_hour_old) as within_hour,
        count(*) filter (where sms.is_open and sms.is_hour_old and not sms.is_day_old) as within_day,
        count(*) filter (where sms.is_open and sms.is_day_old) as stuck,
        min(sms.due_at) filter (where sms.is_open and sms.is_day_old) as oldest_due_at,
        count(*) filter (where sms.is_day_old and not sms.is_earlier) as watched,
        count(*) filter (where sms.is_earlier) as earlier,
        count(*) filter (where sms.is_earlier and sms.is_aged_out) as earlier_aged_out
    from sms
    group by sms.country_code, coalesce(sms.service_code, 'unknown'), sms.status
)

select
    counted.country,
    counted.service,
    counted.status,
    counted.ahead,
    counted.within_hour,
    counted.within_day,
    counted.stuck,
    counted.oldest_due_at,
    counted.watched,
    counted.earlier,
    counted.earlier_aged_out
from counted
order by counted.stuck desc, counted.country asc, counted.service asc, counted.status asc
