-- One row a span of time of which every message was read from the provider, without a gap.
-- A window covers whole seconds, the last one included, and nothing after the moment it was read.
with windows as (
    select
        fetched.since_at,
        least(fetched.until_at, date_trunc('second', fetched.fetched_at)) + interval 1 second as until_at
    from ops.fetch_window as fetched
    where fetched.stream = 'sms' and fetched.since_at <= least(fetched.until_at, fetched.fetched_at)
),

followed as (
    select
        windows.since_at,
        windows.until_at,
        max(windows.until_at) over (
            order by windows.since_at, windows.until_at rows between unbounded preceding and 1 preceding
        ) as read_until_at
    from windows
),

numbered as (
    select
        followed.since_at,
        followed.until_at,
        -- Not count(*) filter (…): that takes sixty times as long over 100,000 windows.
        sum(case when followed.read_until_at >= followed.since_at then 0 else 1 end) over (
            order by followed.since_at, followed.until_at rows unbounded preceding
        ) as span
    from followed
),

final as (
    select
        min(numbered.since_at) as covered_from_at,
        max(numbered.until_at) as covered_until_at
    from numbered
    group by numbered.span
)

select * from final
