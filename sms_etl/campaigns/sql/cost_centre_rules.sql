-- The rules by sender, API key and source that hold on the day a campaign is sent, the strongest first.
select
    rules.matched_by,
    rules.sender_id,
    rules.key_id,
    rules.source,
    rules.cost_centre
from intermediate.int_cost_centre_rule as rules
where
    rules.matched_by in ('sender', 'key', 'source')
    and getvariable('campaign_day') between rules.first_day and rules.last_day
order by rules.strength desc
