-- One row a value that rules name, and span of business days: the rule that decides there.
-- Where two rules name the same value on the same day, the higher priority decides, then the earlier line; a
-- test finds those that contradict each other.
with rules as (
    select * from seeds.cost_centres
),

named as (
    select
        rules.*,
        case
            when rules.bulk_id is not null then 'bulk'
            when rules.callback_prefix is not null then 'callback'
            when rules.sender_id is not null then 'sender'
            when rules.key_id is not null then 'key'
            else 'source'
        end as matched_by,
        coalesce(
            cast(rules.bulk_id as varchar),
            rules.callback_prefix,
            rules.sender_id,
            cast(rules.key_id as varchar),
            cast(rules.source as varchar)
        ) as matched_value,
        coalesce(rules.valid_from, date '0001-01-01') as first_day,
        coalesce(rules.valid_to, date '9998-12-31') as last_day,
        cast(coalesce(rules.priority, 0) as bigint) * 8
        + case
            when rules.bulk_id is not null then 5
            when rules.callback_prefix is not null then 4
            when rules.sender_id is not null then 3
            when rules.key_id is not null then 2
            else 1
        end as strength
    from rules
),

bounds as (
    select
        named.matched_by,
        named.matched_value,
        named.first_day
    from named
    union distinct
    select
        named.matched_by,
        named.matched_value,
        cast(named.last_day + interval 1 day as date) as first_day
    from named
),

spans as (
    select
        bounds.*,
        lead(bounds.first_day) over (
            partition by bounds.matched_by, bounds.matched_value order by bounds.first_day
        ) as next_day
    from bounds
),

ranked as (
    select
        spans.matched_by,
        spans.matched_value,
        spans.first_day,
        cast(spans.next_day - interval 1 day as date) as last_day,
        named.key_id,
        named.sender_id,
        named.source,
        named.bulk_id,
        named.callback_prefix,
        named.strength,
        named.cost_centre,
        row_number() over (
            partition by spans.matched_by, spans.matched_value, spans.first_day
            order by named.strength desc, named.line asc
        ) as place
    from spans
    inner join named
        on
            spans.matched_by = named.matched_by
            and spans.matched_value = named.matched_value
            and spans.first_day >= named.first_day
            and spans.first_day <= named.last_day
),

final as (
    select
        ranked.matched_by,
        ranked.matched_value,
        ranked.first_day,
        ranked.last_day,
        ranked.key_id,
        ranked.sender_id,
        ranked.source,
        ranked.bulk_id,
        ranked.callback_prefix,
        length(ranked.callback_prefix) as prefix_length,
        ranked.strength,
        ranked.cost_centre
    from ranked
    where ranked.place = 1
)

select * from final
