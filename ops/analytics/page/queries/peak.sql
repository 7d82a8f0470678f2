-- The moment with the most live sessions, to the millisecond. A session is live from its start until just before its end.
-- Only minutes that could hold the peak are looked at move by move: those where the sessions live at the start of the
-- minute, and all that start in it, are at least as many as were live at the end of some minute.
-- Reads labelled and period (since_at).
with moves as (
  select case when started_s > epoch(since_at) then started_s else epoch(since_at) end as at_s, 1 as change
  from labelled
  cross join period
  union all
  select over_s as at_s, -1 as change
  from labelled
  where over_s is not null
),
minutes as (
  select floor(at_s / 60) as minute, sum(change) as change, sum(case when change > 0 then 1 else 0 end) as started
  from moves
  group by floor(at_s / 60)
),
levels as (
  select minute, started, change, sum(change) over (order by minute rows unbounded preceding) as live_after
  from minutes
),
candidates as (
  select minute, live_after - change as live_before
  from levels
  where live_after - change + started >= (select max(live_after) from levels)
),
moments as (
  select minute, at_s, sum(change) as change
  from moves
  join candidates on candidates.minute = floor(moves.at_s / 60)
  group by minute, at_s
),
running as (
  select
    at_s,
    live_before + sum(change) over (partition by minute order by at_s rows unbounded preceding) as live
  from moments
  join candidates using (minute)
)
select at_s, live
from running
order by live desc, at_s
limit 1
