-- Sessions that started, and that were over, in each interval, by source and country: their running difference is the
-- number of live sessions. begins_s is the interval's start in seconds since 1970, null for before the range. An end at the
-- very end of the range belongs to the last interval.
-- Reads labelled and period (since_at, until_at, step_seconds).
with moves as (
  select
    source, country, 1 as started, 0 as over,
    case when started_s >= epoch(since_at) then floor(started_s / step_seconds) * step_seconds end as begins_s
  from labelled
  cross join period
  union all
  select
    source, country, 0 as started, 1 as over,
    floor(case when over_s < epoch(until_at) then over_s else epoch(until_at) - 0.001 end / step_seconds) * step_seconds
      as begins_s
  from labelled
  cross join period
  where over_s is not null
)
select cast(begins_s as bigint) as begins_s, source, country, sum(started) as started, sum(over) as over
from moves
group by begins_s, source, country
order by begins_s nulls first, source, country
