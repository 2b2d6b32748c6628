-- One row a business day, country and service: how long its messages took, in seconds.
-- Three spans that must not be taken for each other: from when they were due to the hand-over, which the
-- provider states; from there to the handset, which only a webhook event tells; and until a sync saw the
-- message final, which depends on when syncs run.
with sms as (
    select * from marts.fct_sms
),

timed as (
    select
        sms.*,
        -- Clocks differ by seconds: what ends before it begins took none. `greatest` would make null 0.
        case
            when sms.sent_at < sms.due_at then 0
            else date_diff('second', sms.due_at, sms.sent_at)
        end as handover_seconds,
        case
            when sms.delivered_at < sms.sent_at then 0
            else date_diff('second', sms.sent_at, sms.delivered_at)
        end as delivery_seconds,
        case
            when sms.settled_at < coalesce(sms.sent_at, sms.due_at) then 0
            else date_diff('second', coalesce(sms.sent_at, sms.due_at), sms.settled_at)
        end as settlement_seconds
    from sms
),

measured as (
    select
        timed.business_day,
        timed.country_code,
        any_value(timed.country_name) as country_name,
        timed.service_code,
        count(*) as messages,
        count(timed.handover_seconds) as handed_over,
        percentile(timed.handover_seconds, 0.5) as handover_seconds_p50,
        percentile(timed.handover_seconds, 0.9) as handover_seconds_p90,
        percentile(timed.handover_seconds, 0.95) as handover_seconds_p95,
        percentile(timed.handover_seconds, 0.99) as handover_seconds_p99,
        count(*) filter (where timed.handover_seconds <= 10) as handed_over_within_10s,
        count(*) filter (where timed.handover_seconds <= 60) as handed_over_within_60s,
        count(timed.delivery_seconds) as delivered_timed,
        percentile(timed.delivery_seconds, 0.5) as delivery_seconds_p50,
        percentile(timed.delivery_seconds, 0.9) as delivery_seconds_p90,
        percentile(timed.delivery_seconds, 0.95) as delivery_seconds_p95,
        percentile(timed.delivery_seconds, 0.99) as delivery_seconds_p99,
        count(*) filter (where timed.delivery_seconds <= 10) as delivered_within_10s,
        count(*) filter (where timed.delivery_seconds <= 60) as delivered_within_60s,
        percentile(timed.settlement_seconds, 0.5) as observed_settlement_seconds_p50,
        percentile(timed.settlement_seconds, 0.9) as observed_settlement_seconds_p90,
        count(*) filter (where timed.is_final) as settled,
        count(*) filter (where timed.has_price) as priced,
        max(timed.changed_at) as changed_at
    from timed
    group by timed.business_day, timed.country_code, timed.service_code
),

final as (
    select
        measured.business_day,
        measured.country_code,
        measured.country_name,
        measured.service_code,
        measured.messages,
        measured.handed_over,
        measured.handover_seconds_p50,
        measured.handover_seconds_p90,
        measured.handover_seconds_p95,
        measured.handover_seconds_p99,
        rate(measured.handed_over_within_10s, measured.handed_over) as share_handed_over_within_10s,
        rate(measured.handed_over_within_60s, measured.handed_over) as share_handed_over_within_60s,
        measured.delivered_timed,
        measured.delivery_seconds_p50,
        measured.delivery_seconds_p90,
        measured.delivery_seconds_p95,
        measured.delivery_seconds_p99,
        rate(measured.delivered_within_10s, measured.delivered_timed) as share_delivered_within_10s,
        rate(measured.delivered_within_60s, measured.delivered_timed) as share_delivered_within_60s,
        measured.observed_settlement_seconds_p50,
        measured.observed_settlement_seconds_p90,
        rate(measured.settled, measured.messages) as share_settled,
        rate(measured.priced, measured.messages) as share_priced,
        measured.changed_at
    from measured
)

select * from final
