-- How late events arrived: from when a login, refresh or logout occurred until the register wrote it (the version, the
-- write's time in milliseconds), in steps of a quarter of a doubling (step 4 is 20 ms, step 8 is 40 ms; step 0 holds what
-- took at most 10 ms). A rebuild tells sessions again: the first telling counts. Step null: it was written before it
-- occurred, so a publisher's clock was ahead.
-- Reads transitions and period (since_at, until_at).
with told as (
  select kind, min(version) / 1000.0 - epoch(occurred_at) as seconds
  from transitions
  cross join period
  where kind in ('started', 'refreshed', 'ended') and occurred_at >= since_at and occurred_at < until_at
    and version >= 1000000000000
  group by kind, session_id, customer_id, occurred_at
)
select
  kind,
  cast(case when seconds < 0 then null when seconds <= 0.01 then 0 else ceil(4 * ln(seconds * 100) / ln(2)) end as bigint) as step,
  count(*) as events
from told
group by 1, 2
order by 1, 2 nulls first
