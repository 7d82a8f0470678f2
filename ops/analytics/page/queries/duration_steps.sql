-- The curve of durations: sessions over in the range by how long they lasted, in steps of a quarter of a doubling
-- (step 4 is 2 s, step 8 is 4 s), by source and country. Step 0 holds what lasted at most a second.
-- Reads labelled.
with lasted as (
  select 'until over' as measure, source, country, over_s - started_s as seconds
  from labelled
  where over_s is not null and started_s is not null
  union all
  select 'until last refresh' as measure, source, country, least(refreshed_s, over_s) - started_s as seconds
  from labelled
  where over_s is not null and started_s is not null
)
select
  measure, source, country,
  cast(case when seconds <= 1 then 0 else ceil(4 * ln(seconds) / ln(2)) end as bigint) as step,
  count(*) as sessions
from lasted
group by 1, 2, 3, 4
order by 1, 2, 3, 4
