-- A part of a count, 0 to 1: rounded half up to a millionth, null of nothing. A rate of several rows is
-- `rate(sum(part), sum(whole))`, never an average of their rates.
create macro rate(part, whole) as (
    cast(
        (cast(part as hugeint) * 2000000 + whole) // nullif(2 * cast(whole as hugeint), 0)
        * 0.000001 as decimal(9, 6)
    )
)
