-- The plain counts that every picture must agree with.
-- Reads sessions and period (since_at, until_at).
select
  count(*) as sessions,
  count(distinct customer_id) as customers,
  count(case when coalesce(started_at, last_login_time) >= since_at then 1 end) as started,
  count(*) - count(case when coalesce(started_at, last_login_time) >= since_at then 1 end) as live_at_since,
  count(over_at) as over,
  count(case when coalesce(started_at, last_login_time) is not null then over_at end) as lasted,
  count(*) - count(over_at) as live_at_until,
  count(parent_session_id) as children
from sessions
cross join period
