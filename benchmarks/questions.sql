-- Twenty questions analysts ask of the marts. `today` is the last business day there is, see builds.py.
select country_name, sum(messages), round(100.0 * sum(delivered) / nullif(sum(settled), 0), 1)
from marts.delivery_daily where business_day > getvariable('today') - 7 group by all order by 2 desc limit 10;

select business_day, sum(messages), sum(delivered), sum(settled)
from marts.delivery_daily where business_day > getvariable('today') - 28 group by all order by all;

select date_trunc('month', business_day), sum(messages), round(100.0 * sum(delivered) / nullif(sum(settled), 0), 1)
from marts.delivery_daily group by all order by all;

select business_hour, sum(messages), round(100.0 * sum(delivered) / nullif(sum(settled), 0), 1)
from marts.delivery_hourly where business_day > getvariable('today') - 28 group by all order by all;

select business_day, business_hour, sum(messages)
from marts.delivery_hourly where business_day > getvariable('today') - 7 group by all order by all;

select business_month, currency, sum(cost), sum(messages), sum(unpriced) from marts.cost_monthly group by all order by all;

select country_name, currency, sum(cost), round(sum(cost) / nullif(sum(messages - unpriced), 0), 6)
from marts.cost_monthly where business_month >= date_trunc('year', getvariable('today')) group by all order by 3 desc limit 20;

select cost_centre, currency, sum(cost) from marts.cost_monthly group by all order by all;

select business_day, currency, sum(cost), sum(cost_undelivered)
from marts.cost_daily where business_day > getvariable('today') - 92 group by all order by all;

select service_code, currency, sum(cost), sum(parts) from marts.cost_daily
where business_day > getvariable('today') - 28 group by all order by 3 desc;

select * from marts.failure_reasons where business_day > getvariable('today') - 7 order by messages desc limit 20;

select * from marts.delivery_latency where business_day > getvariable('today') - 7 order by messages desc limit 20;

select * from marts.delivery_cohort where business_day > getvariable('today') - 14 order by all limit 100;

select * from marts.sender_health order by messages desc limit 20;

select * from marts.country_overview order by messages desc limit 20;

select * from marts.bulk_performance order by messages desc limit 20;

select * from marts.price_changes order by all desc limit 20;

select * from marts.encoding_waste order by messages desc limit 20;

select delivery_status, count(*), sum(price) filter (where currency = 'EUR')
from marts.fct_sms where business_day = getvariable('today') - 1 group by all order by all;

select * from marts.data_status;
