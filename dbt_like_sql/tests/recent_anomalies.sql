-- Anomalies of the last seven days: they are to be looked at, see docs/anomalies.md.
-- models: marts.traffic_anomalies
-- severity: warn
select
    anomalies.business_day,
    anomalies.kind,
    anomalies.messages,
    anomalies.cost_at_risk,
    anomalies.score
from marts.traffic_anomalies as anomalies
cross join ops.build_context as context
where
    anomalies.business_day
    > cast(timezone(context.timezone, timezone('UTC', context.as_of_at)) as date) - interval 7 day
