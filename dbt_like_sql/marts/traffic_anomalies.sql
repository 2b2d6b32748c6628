-- One row a business day, kind, subject and currency that had far more messages than is usual for it, with
-- what they cost beyond the usual and a score whose parts are shown. How it is judged: docs/anomalies.md.
with traffic as (
    select * from intermediate.int_traffic_daily
),

off_hours as (
    select * from intermediate.int_off_hours_daily
),

bulk_traffic as (
    select * from intermediate.int_bulk_traffic_daily
),

coverage as (
    select * from marts.coverage_daily
),

-- What each kind is compared with: over how many days, with the days of which kind, how far back; and the
-- fewest messages beyond the usual that are worth a look, however quiet the subject is otherwise.
kinds as (
    select
        listed.kind,
        listed.earlier_kind,
        listed.days,
        listed.days_back,
        listed.least_beyond
    from (
        values
        ('number_range', 'number_range', 1, 28, 30),
        ('number_range_slow', 'number_range', 7, 27, 50),
        ('country', 'country', 1, 28, 50),
        ('sender', 'sender', 1, 28, 50),
        ('sender_off_hours', 'sender_off_hours', 1, 28, 30),
        ('account_off_hours', 'account_off_hours', 1, 28, 30)
    ) as listed (kind, earlier_kind, days, days_back, least_beyond)
),

series as (
    select
        traffic.kind,
        traffic.subject,
        traffic.country_code,
        traffic.business_day,
        traffic.currency,
        traffic.messages,
        traffic.delivered,
        traffic.settled,
        traffic.priced,
        traffic.cost,
        traffic.changed_at
    from traffic
    union all
    select
        off_hours.kind,
        off_hours.subject,
        cast(null as varchar) as country_code,
        off_hours.business_day,
        off_hours.currency,
        off_hours.messages,
        off_hours.delivered,
        off_hours.settled,
        off_hours.priced,
        off_hours.cost,
        off_hours.changed_at
    from off_hours
),

-- A range over seven days, of those on which no single day stands out by itself.
weeks as (
    select
        'number_range_slow' as kind,
        traffic.subject,
        min(traffic.country_code) over week as country_code,
        traffic.business_day,
        traffic.currency,
        cast(sum(traffic.messages) over week as bigint) as messages,
        cast(sum(traffic.delivered) over week as bigint) as delivered,
        cast(sum(traffic.settled) over week as bigint) as settled,
        cast(sum(traffic.priced) over week as bigint) as priced,
        cast(sum(traffic.cost) over week as decimal(38, 6)) as cost,
        max(traffic.changed_at) over week as changed_at
    from traffic
    inner join kinds on traffic.kind = kinds.kind
    where traffic.kind = 'number_range' and traffic.messages < kinds.least_beyond
    window week as (
        partition by traffic.subject, traffic.currency
        order by traffic.business_day
        range between interval 6 day preceding and current row
    )
),

-- All single messages, in the currency: of a day and of the seven days up to it.
totals as (
    select
        traffic.business_day,
        traffic.currency,
        cast(sum(traffic.messages) as bigint) as day_messages
    from traffic
    where traffic.kind = 'sender'
    group by traffic.business_day, traffic.currency
),

account as (
    select
        totals.business_day,
        totals.currency,
        totals.day_messages,
        cast(
            sum(totals.day_messages) over (
                partition by totals.currency
                order by totals.business_day
                range between interval 6 day preceding and current row
            ) as bigint
        ) as week_messages,
        min(totals.business_day) over (partition by totals.currency) as first_day
    from totals
),

-- A country or a range without messages had none: it is known as long as the account. A sender is known from
-- its own first day, and its hours from the day on which they were first judged.
first_days as (
    select
        series.kind,
        series.subject,
        series.currency,
        min(series.business_day) as first_day
    from series
    where series.kind in ('sender', 'sender_off_hours', 'account_off_hours')
    group by series.kind, series.subject, series.currency
),

candidates as (
    select
        found.*,
        kinds.earlier_kind,
        kinds.days,
        kinds.days_back,
        kinds.least_beyond,
        case kinds.days when 7 then account.week_messages else account.day_messages end as account_messages,
        coalesce(first_days.first_day, account.first_day) as known_since
    from (
        select * from series
        union all
        select * from weeks
    ) as found
    inner join kinds on found.kind = kinds.kind
    inner join account on found.business_day = account.business_day and found.currency = account.currency
    left join first_days
        on
            found.kind = first_days.kind
            and found.subject = first_days.subject
            and found.currency = first_days.currency
    where found.messages >= kinds.least_beyond
),

-- The 28 days before, without the days judged now and those that were not read. An hour may be missing.
before as (
    select
        candidates.kind,
        candidates.subject,
        candidates.business_day,
        candidates.currency,
        date_diff('day', coverage.business_day, candidates.business_day) as days_before,
        coalesce(earlier.messages, 0) as messages,
        coalesce(earlier.cost, 0) as cost
    from candidates
    inner join coverage
        on
            candidates.business_day - candidates.days_back * interval 1 day <= coverage.business_day
            and candidates.business_day - candidates.days * interval 1 day >= coverage.business_day
            and candidates.known_since <= coverage.business_day
            and coverage.missing_seconds < 3600
    left join series as earlier
        on
            candidates.earlier_kind = earlier.kind
            and candidates.subject = earlier.subject
            and candidates.currency = earlier.currency
            and coverage.business_day = earlier.business_day
),

-- Of the four days of the same weekday the third by size: two holidays among them do not lower it, one day of
-- fraud does not raise it. Of a week the largest of the three before it.
usual as (
    select
        before.kind,
        before.subject,
        before.business_day,
        before.currency,
        count(*) as baseline_days,
        count(*) filter (where before.messages > 0) as baseline_days_with_messages,
        percentile(before.messages, 0.5) as middle,
        case before.kind
            when 'number_range_slow'
                then
                    greatest(
                        sum(case when before.days_before between 7 and 13 then before.messages else 0 end),
                        sum(case when before.days_before between 14 and 20 then before.messages else 0 end),
                        sum(case when before.days_before between 21 and 27 then before.messages else 0 end)
                    )
            else
                coalesce(
                    percentile(
                        case when before.days_before in (7, 14, 21, 28) then before.messages end, 0.75
                    ),
                    percentile(before.messages, 0.75)
                )
        end as messages,
        case before.kind
            when 'number_range_slow'
                then
                    greatest(
                        sum(case when before.days_before between 7 and 13 then before.cost else 0 end),
                        sum(case when before.days_before between 14 and 20 then before.cost else 0 end),
                        sum(case when before.days_before between 21 and 27 then before.cost else 0 end)
                    )
            else
                coalesce(
                    percentile(case when before.days_before in (7, 14, 21, 28) then before.cost end, 0.75),
                    percentile(before.cost, 0.75)
                )
        end as cost
    from before
    group by before.kind, before.subject, before.business_day, before.currency
),

spread as (
    select
        before.kind,
        before.subject,
        before.business_day,
        before.currency,
        -- Of weeks there are too few for a spread.
        case before.kind
            when 'number_range_slow' then 0
            else percentile(abs(before.messages - usual.middle), 0.5)
        end as median_deviation
    from before
    inner join usual
        on
            before.kind = usual.kind
            and before.subject = usual.subject
            and before.business_day = usual.business_day
            and before.currency = usual.currency
    group by before.kind, before.subject, before.business_day, before.currency
),

-- Ten standard deviations (1.5 median deviations each), twice the usual, and the least of the kind.
compared as (
    select
        candidates.*,
        cast(usual.messages as bigint) as usual_messages,
        cast(usual.cost as decimal(38, 6)) as usual_cost,
        usual.baseline_days,
        usual.baseline_days_with_messages,
        cast(spread.median_deviation as bigint) as median_deviation,
        candidates.messages - cast(usual.messages as bigint) as messages_beyond,
        cast(
            greatest(15 * spread.median_deviation, 2 * usual.messages, candidates.least_beyond) as bigint
        ) as allowance
    from candidates
    inner join usual
        on
            candidates.kind = usual.kind
            and candidates.subject = usual.subject
            and candidates.business_day = usual.business_day
            and candidates.currency = usual.currency
    inner join spread
        on
            candidates.kind = spread.kind
            and candidates.subject = spread.subject
            and candidates.business_day = spread.business_day
            and candidates.currency = spread.currency
    where usual.baseline_days >= 14
),

-- Bulks come now and then, so days are no measure: usual is the largest of the 92 days before, of all bulks,
-- or of all ranges of the country in bulks.
bulk_days as (
    select
        bulk_traffic.kind,
        bulk_traffic.currency,
        coalesce(bulk_traffic.country_code, '') as place,
        bulk_traffic.business_day,
        count(*) as subjects,
        max(bulk_traffic.messages) as largest,
        max(bulk_traffic.cost) as dearest,
        cast(sum(bulk_traffic.messages) as bigint) as messages
    from bulk_traffic
    group by
        bulk_traffic.kind,
        bulk_traffic.currency,
        coalesce(bulk_traffic.country_code, ''),
        bulk_traffic.business_day
),

bulks_before as (
    select
        bulk_days.kind,
        bulk_days.currency,
        bulk_days.place,
        bulk_days.business_day,
        bulk_days.messages as day_messages,
        count(*) over earlier as days_before,
        coalesce(cast(sum(bulk_days.subjects) over earlier as bigint), 0) as subjects_before,
        coalesce(max(bulk_days.largest) over earlier, 0) as largest_before,
        coalesce(max(bulk_days.dearest) over earlier, 0) as dearest_before
    from bulk_days
    window earlier as (
        partition by bulk_days.kind, bulk_days.currency, bulk_days.place
        order by bulk_days.business_day
        range between interval 92 day preceding and interval 1 day preceding
    )
),

read_before as (
    select
        coverage.business_day,
        count(*) filter (where coverage.missing_seconds < 3600) over (
            order by coverage.business_day
            range between interval 92 day preceding and interval 1 day preceding
        ) as days_read
    from coverage
),

-- A range must stand out from the others of its day, too: a bulk to a whole country has many in each.
bulks_compared as (
    select
        found.business_day,
        found.kind,
        found.subject,
        found.country_code,
        found.currency,
        1 as days,
        found.messages,
        found.delivered,
        found.settled,
        found.priced,
        found.cost,
        found.changed_at,
        of_day.day_messages as account_messages,
        before_it.largest_before as usual_messages,
        before_it.dearest_before as usual_cost,
        read_before.days_read as baseline_days,
        before_it.days_before as baseline_days_with_messages,
        0 as median_deviation,
        found.messages - before_it.largest_before as messages_beyond,
        case
            when found.kind = 'bulk' then greatest(4 * before_it.largest_before, 500)
            else
                greatest(
                    2 * before_it.largest_before,
                    30,
                    case
                        when found.ranges > 10
                            then
                                cast(
                                    exact_division(
                                        10 * (found.messages_of_ranges - found.messages), found.ranges - 1
                                    ) as bigint
                                ) - before_it.largest_before
                        else 0
                    end
                )
        end as allowance
    from bulk_traffic as found
    inner join bulks_before as before_it
        on
            found.kind = before_it.kind
            and found.currency = before_it.currency
            and coalesce(found.country_code, '') = before_it.place
            and found.business_day = before_it.business_day
    inner join bulks_before as of_day
        on
            of_day.kind = 'bulk'
            and found.currency = of_day.currency
            and found.business_day = of_day.business_day
    inner join read_before on found.business_day = read_before.business_day
    -- Of fewer bulks before nothing is known.
    where of_day.subjects_before >= 3 and read_before.days_read >= 14
),

all_compared as (
    select
        compared.business_day,
        compared.kind,
        compared.subject,
        compared.country_code,
        compared.currency,
        compared.days,
        compared.messages,
        compared.delivered,
        compared.settled,
        compared.priced,
        compared.cost,
        compared.changed_at,
        compared.account_messages,
        compared.usual_messages,
        compared.usual_cost,
        compared.baseline_days,
        compared.baseline_days_with_messages,
        compared.median_deviation,
        compared.messages_beyond,
        compared.allowance
    from compared
    union all
    select
        bulks_compared.business_day,
        bulks_compared.kind,
        bulks_compared.subject,
        bulks_compared.country_code,
        bulks_compared.currency,
        bulks_compared.days,
        bulks_compared.messages,
        bulks_compared.delivered,
        bulks_compared.settled,
        bulks_compared.priced,
        bulks_compared.cost,
        bulks_compared.changed_at,
        bulks_compared.account_messages,
        bulks_compared.usual_messages,
        bulks_compared.usual_cost,
        bulks_compared.baseline_days,
        bulks_compared.baseline_days_with_messages,
        bulks_compared.median_deviation,
        bulks_compared.messages_beyond,
        bulks_compared.allowance
    from bulks_compared
),

scored as (
    select
        all_compared.*,
        cast(
            least(60, exact_division(20 * all_compared.messages_beyond, all_compared.allowance))
            as decimal(9, 6)
        ) as points_size,
        cast(
            20 - 20 * rate(all_compared.baseline_days_with_messages, all_compared.baseline_days)
            as decimal(9, 6)
        ) as points_new,
        cast(
            20 * rate(all_compared.messages_beyond, all_compared.account_messages) as decimal(9, 6)
        ) as points_share
    from all_compared
    where all_compared.messages_beyond >= all_compared.allowance
),

final as (
    select
        scored.business_day,
        scored.kind,
        scored.subject,
        scored.country_code,
        scored.currency,
        scored.days,
        scored.messages,
        scored.usual_messages,
        scored.median_deviation,
        scored.usual_messages + scored.allowance as limit_messages,
        scored.messages_beyond,
        scored.baseline_days,
        scored.baseline_days_with_messages,
        scored.delivered,
        rate(scored.delivered, scored.settled) as delivery_rate,
        rate(scored.delivered, scored.messages) as accepted_delivery_rate,
        scored.cost,
        scored.usual_cost,
        cast(greatest(scored.cost - scored.usual_cost, 0) as decimal(38, 6)) as cost_at_risk,
        scored.points_size,
        scored.points_new,
        scored.points_share,
        cast(scored.points_size + scored.points_new + scored.points_share as decimal(9, 6)) as score,
        rate(scored.settled, scored.messages) as share_settled,
        rate(scored.priced, scored.messages) as share_priced,
        scored.changed_at
    from scored
)

select * from final
