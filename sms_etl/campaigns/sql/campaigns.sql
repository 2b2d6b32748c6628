-- One row a campaign that was sent from here, the newest first.
select
    campaign.bulk_id,
    campaign.key,
    campaign.state,
    campaign.intended_at,
    campaign.scheduled_at,
    campaign.service_code,
    campaign.cost_centre,
    campaign.currency,
    campaign.recipients,
    campaign.cost_planned
from ops.campaign as campaign
order by campaign.intended_at desc, campaign.key asc
