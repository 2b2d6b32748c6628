-- What is charged to cost centres and what is unassigned are together what is billed, to the last digit.
-- models: marts.cost_daily, marts.fct_sms
with billed as (
    select
        sms.currency,
        count(*) as messages,
        coalesce(sum(sms.price), 0) as cost
    from raw.sms as sms
    group by sms.currency
),

charged as (
    select
        days.currency,
        sum(case when days.cost_centre != 'unassigned' then days.messages else 0 end) as messages_allocated,
        sum(case when days.cost_centre = 'unassigned' then days.messages else 0 end) as messages_unallocated,
        sum(case when days.cost_centre != 'unassigned' then days.cost else 0 end) as allocated,
        sum(case when days.cost_centre = 'unassigned' then days.cost else 0 end) as unallocated
    from marts.cost_daily as days
    group by days.currency
)

select
    coalesce(billed.currency, charged.currency) as currency,
    billed.messages,
    charged.messages_allocated,
    charged.messages_unallocated,
    billed.cost,
    charged.allocated,
    charged.unallocated
from billed
full join charged on billed.currency = charged.currency
where
    charged.messages_allocated + charged.messages_unallocated is distinct from billed.messages
    or charged.allocated + charged.unallocated is distinct from billed.cost
