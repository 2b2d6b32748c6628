-- One row a business day and age: how many of its messages had reached the age, and were delivered by then.
select
    cohorts.business_day,
    cohorts.age_hours,
    cast(sum(cohorts.messages) as bigint) as messages,
    cast(sum(cohorts.delivered) as bigint) as delivered
from marts.delivery_cohort as cohorts
where cohorts.business_day between getvariable('first_compared_day') and getvariable('today')
group by cohorts.business_day, cohorts.age_hours
order by cohorts.age_hours, cohorts.business_day
