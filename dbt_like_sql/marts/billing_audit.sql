-- One row a finding: a message or a bulk whose bill is not what its parts, its day or its messages say.
with odd_bills as (
    select * from intermediate.int_odd_bills
),

bulks as (
    select * from marts.bulk_performance
),

findings as (
    select * from odd_bills
    union all
    select
        'bulk_cost_differs' as finding,
        bulks.bulk_id as uuid,
        bulks.business_day,
        cast(null as varchar) as country_code,
        bulks.service_code,
        bulks.currency,
        bulks.cost as expected,
        cast(bulks.cost_reported as decimal(38, 6)) as found,
        cast(bulks.cost_reported - bulks.cost as decimal(38, 6)) as amount,
        bulks.changed_at
    from bulks
    where
        bulks.bulk_status = 'processed'
        and bulks.cost_reported != bulks.cost
        and (bulks.share_priced = 1 or bulks.messages = 0)
),

final as (
    select
        findings.finding,
        findings.uuid,
        findings.business_day,
        cast(date_trunc('month', findings.business_day) as date) as business_month,
        findings.country_code,
        findings.service_code,
        findings.currency,
        findings.expected,
        findings.found,
        findings.amount,
        findings.changed_at
    from findings
)

select * from final
