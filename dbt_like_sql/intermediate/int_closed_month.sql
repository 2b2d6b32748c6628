-- One row a month that was closed when the models were built.
-- A month that is closed since shows the same figures either way: those it was closed with.
with final as (
    select periods.month as business_month
    from finance.closed_period as periods
)

select * from final
