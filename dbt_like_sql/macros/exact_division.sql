-- An amount or a count, divided by a count: rounded half away from zero to a millionth, null where there is
-- nothing to divide by. The amount has at most six decimals; credits may make it negative. DuckDB's `/`, and
-- `//` of decimals, go through a double: whole millionths are divided instead. A DECIMAL(18,6) is widened
-- first, for the product would not fit.
create macro exact_division(amount, parts) as (
    cast(
        (
            cast(cast(amount as decimal(38, 6)) * 1000000 as hugeint) * 2
            + case when amount < 0 then -parts else parts end
        )
        // nullif(2 * cast(parts as hugeint), 0) * 0.000001 as decimal(38, 6)
    )
)
