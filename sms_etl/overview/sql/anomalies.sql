-- One row an anomaly of the shown days, the newest first, then by score; ranges of numbers are not named.
select
    anomalies.business_day,
    anomalies.kind,
    case when anomalies.kind in ('sender', 'sender_off_hours') then anomalies.subject end as sender_id,
    countries.country_name,
    anomalies.messages,
    anomalies.usual_messages,
    anomalies.currency,
    anomalies.cost_at_risk,
    anomalies.score
from marts.traffic_anomalies as anomalies
left join marts.dim_country as countries on anomalies.country_code = countries.country_code
where anomalies.business_day between getvariable('first_shown_day') and getvariable('today')
order by anomalies.business_day desc, anomalies.score desc, anomalies.kind asc, anomalies.subject asc
limit 10
