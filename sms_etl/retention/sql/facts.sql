-- One row a message that was asked for: what rules ask of it, and what speaks against deleting it.
with asked as (
    select * from retention_asked
),

landed as (
    select * from retention_landed
),

sms as (
    select * from raw.sms
),

status as (
    select * from intermediate.int_status
),

windows as (
    select
        fetched.landed,
        fetched.fetched_at,
        fetched.since_at,
        fetched.until_at
    from ops.fetch_window as fetched
    where fetched.stream = 'sms'
),

-- Landed files that retention removed after they were loaded.
removed as (
    select unnest(from_json(deletion.what, '["varchar"]')) as landed
    from ops.deletion as deletion
    where deletion.place = 'landing' and deletion.event = 'confirmed'
),

-- States that lie in a landed file which was loaded, or lay in one until retention removed it.
seen as (
    select distinct
        landed.uuid,
        landed.seen_at
    from landed
    semi join windows on landed.file = windows.landed
    where landed.is_good
),

removed_windows as (
    select windows.* from windows
    semi join removed on windows.landed = removed.landed
),

-- Which messages a removed file had is told by when it was fetched, and from where to where it reached.
seen_in_removed as (
    select distinct sms.uuid
    from sms
    semi join asked on sms.uuid = asked.uuid
    inner join removed_windows
        on
            sms.last_seen_at = removed_windows.fetched_at
            and (
                removed_windows.since_at is null
                or sms.created_at between removed_windows.since_at and removed_windows.until_at
            )
),

waiting as (
    select distinct try_cast(quarantine.uuid as uuid) as uuid
    from ops.quarantine as quarantine
    where quarantine.replayed_at is null and quarantine.accepted_at is null and quarantine.stream = 'sms'
),

-- A number may be in clear in a hold and masked in a message, or the other way round.
senders as (
    select * from retention_sender
),

holds as (
    select
        hold.uuid,
        hold.sender_id,
        sender.marked,
        hold.key_id,
        hold.bulk_id,
        hold.since_at,
        hold.until_at
    from ops.hold as hold
    left join senders as sender on hold.sender_id = sender.sender_id
    where
        hold.removed_at is null
        and (hold.ends_at is null or hold.ends_at > getvariable('retention_now'))
),

closed as (
    select * from finance.closed_period
),

held as (
    select distinct sms.uuid
    from sms
    semi join asked on sms.uuid = asked.uuid
    left join senders on sms.sender_id = senders.sender_id
    inner join holds
        on
            (holds.uuid is null or sms.uuid = holds.uuid)
            and (holds.sender_id is null or senders.marked = holds.marked)
            and (holds.key_id is null or sms.key_id = holds.key_id)
            and (holds.bulk_id is null or sms.bulk_id = holds.bulk_id)
            and (holds.since_at is null or sms.created_at >= holds.since_at)
            and (holds.until_at is null or sms.created_at < holds.until_at)
),

final as (
    select
        sms.uuid,
        sms.created_at,
        sms.price,
        sms.currency,
        coalesce(nullif(sms.service_code, ''), 'unknown') as service_code,
        sms.sender_id,
        sms.key_id,
        sms.gone_at is not null as is_gone,
        case
            when status.delivery_status = 'queued' and sms.delivery_at > getvariable('retention_now')
                then 'scheduled'
            else coalesce(status.delivery_status, 'unknown')
        end as delivery_status,
        held.uuid is not null as is_held,
        waiting.uuid is not null as is_waiting,
        seen.uuid is not null or seen_in_removed.uuid is not null as is_landed,
        coalesce(status.is_final, false)
        or sms.gone_at is not null
        or sms.last_seen_at >= greatest(sms.created_at, coalesce(sms.delivery_at, sms.created_at))
        + to_days(getvariable('retention_settle_days')) as is_settled,
        sms.price is not null and sms.parts_count is not null as is_priced,
        closed.month is not null as is_closed,
        sms.created_at >= getvariable('retention_disputed_since') as is_disputable
    from sms
    semi join asked on sms.uuid = asked.uuid
    left join status on sms.status_code = status.status_code and coalesce(sms.dlr_code, 0) = status.dlr_code
    left join held on sms.uuid = held.uuid
    left join waiting on sms.uuid = waiting.uuid
    left join seen on sms.uuid = seen.uuid and sms.last_seen_at = seen.seen_at
    left join seen_in_removed on sms.uuid = seen_in_removed.uuid
    left join closed
        on
            date_trunc('month', timezone(getvariable('retention_timezone'), timezone('UTC', sms.created_at)))
            = closed.month
)

select * from final
