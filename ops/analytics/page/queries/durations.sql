-- How long sessions lasted that were over in the range, from their start: on the wall clock until they were over, and
-- until their last refresh. To the second; a percentile is a duration that occurred.
-- Reads labelled.
with lasted as (
  select 'until over' as measure, source, country, cast(floor(over_s - started_s) as bigint) as seconds
  from labelled
  where over_s is not null and started_s is not null
  union all
  select 'until last refresh' as measure, source, country, cast(floor(least(refreshed_s, over_s) - started_s) as bigint)
  from labelled
  where over_s is not null and started_s is not null
),
counted as (
  select measure, source, country, seconds, count(*) as sessions
  from lasted
  group by grouping sets ((measure, seconds), (measure, source, seconds), (measure, country, seconds))
),
ranked as (
  select
    measure, source, country, seconds, sessions,
    sum(sessions) over (partition by measure, source, country order by seconds rows unbounded preceding) as at_most,
    sum(sessions) over (partition by measure, source, country) as total
  from counted
)
select
  measure, source, country,
  max(total) as sessions,
  min(case when at_most >= 0.5 * total then seconds end) as p50,
  min(case when at_most >= 0.9 * total then seconds end) as p90,
  min(case when at_most >= 0.99 * total then seconds end) as p99,
  max(seconds) as longest
from ranked
group by measure, source, country
order by measure desc, source nulls first, country nulls first
