-- The view "period": the range that is shown, and the length of the steps of its pictures: at most 750 of them.
-- Reads report_range (since: null is the beginning; until) and sessions.
with range_shown as (
  select
    coalesce(
      report_range.since, (select min(coalesce(started_at, last_login_time)) from sessions), report_range.until
    ) as since_at,
    report_range.until as until_at
  from report_range
)
select
  since_at,
  until_at,
  case
    when epoch(until_at) - epoch(since_at) <= 750 * 60 then 60
    when epoch(until_at) - epoch(since_at) <= 750 * 300 then 300
    when epoch(until_at) - epoch(since_at) <= 750 * 900 then 900
    when epoch(until_at) - epoch(since_at) <= 750 * 3600 then 3600
    when epoch(until_at) - epoch(since_at) <= 750 * 21600 then 21600
    when epoch(until_at) - epoch(since_at) <= 750 * 86400 then 86400
    else 604800
  end as step_seconds
from range_shown
