-- One row a row or a landed file that could not be loaded, without what it holds. A view: it speaks of
-- the file it is in.
with quarantine as (
    select * from ops.quarantine
),

final as (
    select
        quarantine.quarantine_id,
        quarantine.kind,
        quarantine.stream,
        quarantine.reason,
        quarantine.landed,
        quarantine.since_at,
        quarantine.until_at,
        -- What is no uuid may be anything, a number included.
        cast(try_cast(quarantine.uuid as uuid) as varchar) as uuid,
        quarantine.created_at,
        quarantine.price,
        quarantine.currency,
        quarantine.quarantined_at,
        quarantine.replayed_at,
        quarantine.accepted_at,
        quarantine.accepted_reason
    from quarantine
)

select * from final
