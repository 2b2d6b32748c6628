-- One row a campaign of a month that may still cost something: what was planned, and how many of its
-- messages were loaded. Of a bulk that is processed the provider says how many there are; one that broke off
-- sends no more.
with loaded as (
    select
        sms.bulk_id,
        count(*) as messages
    from marts.fct_sms as sms
    where sms.bulk_id in (select campaign.bulk_id from ops.campaign as campaign)
    group by sms.bulk_id
)

select
    campaign.cost_centre,
    campaign.currency,
    campaign.cost_planned,
    campaign.recipients,
    case
        when bulk.is_final and bulk.bulk_status = 'processed'
            then coalesce(bulk.messages_reported, campaign.recipients)
        when bulk.is_final then 0
        else campaign.recipients
    end as messages_expected,
    coalesce(loaded.messages, 0) as messages_loaded
from ops.campaign as campaign
left join marts.fct_bulk as bulk on campaign.bulk_id = bulk.bulk_id
left join loaded on campaign.bulk_id = loaded.bulk_id
where
    campaign.state in ('intended', 'sent')
    and campaign.cost_planned is not null
    and campaign.campaign_id != getvariable('campaign_id')
    and campaign.business_month = date_trunc('month', getvariable('campaign_day'))
