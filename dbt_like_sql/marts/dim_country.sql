-- One row a country: all of ISO 3166-1, ZZ for none, and whatever else the provider has named.
with countries as (
    select * from seeds.countries
),

sms as (
    select * from intermediate.int_codes_daily
),

named as (
    select distinct sms.country_code
    from sms
),

unlisted as (
    select named.country_code
    from named
    left join countries on named.country_code = countries.country_code
    where countries.country_code is null
),

final as (
    select
        countries.country_code,
        countries.country_name,
        countries.calling_code,
        countries.continent,
        true as is_known
    from countries
    union all
    select
        unlisted.country_code,
        'Unknown (' || unlisted.country_code || ')' as country_name,
        cast(null as varchar) as calling_code,
        cast(null as varchar) as continent,
        false as is_known
    from unlisted
)

select * from final
