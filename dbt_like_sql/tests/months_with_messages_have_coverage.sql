-- Every month with messages says how much of it was read.
-- models: marts.coverage_monthly, marts.fct_sms
select distinct sms.business_month
from marts.fct_sms as sms
left join marts.coverage_monthly as months on sms.business_month = months.business_month
where months.business_month is null
