-- One row a cost centre and currency: planned cost of campaigns of a month of which nothing was loaded yet.
select
    campaign.cost_centre,
    campaign.currency,
    cast(sum(coalesce(campaign.cost_planned, 0)) as decimal(38, 6)) as committed
from ops.campaign as campaign
left join marts.fct_bulk as bulk on campaign.bulk_id = bulk.bulk_id and bulk.messages > 0
where
    campaign.state in ('intended', 'sent')
    and campaign.campaign_id != getvariable('campaign_id')
    and campaign.business_month = date_trunc('month', getvariable('campaign_day'))
    and bulk.bulk_id is null
group by campaign.cost_centre, campaign.currency
