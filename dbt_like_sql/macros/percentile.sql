-- The smallest value that at least a share of the values, 0 to 1, does not exceed: one of them, of their own
-- type; null without values. To interpolate between two (`quantile_cont`, `median`, `percentile_cont`) makes
-- a double of a decimal.
create macro percentile(amount, share) as (quantile_disc(amount, share))
