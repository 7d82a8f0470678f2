-- Customers who had, for a moment, three or more sessions at once, and more than during 99 % of the time in which they
-- had any: above their own p99.
-- Why look: one account used by many, or its session taken over. Innocent: a new device that logs in everywhere.
-- Reads sessions and period (since_at, until_at).
with frequent as (
  select customer_id from sessions group by customer_id having count(*) >= 3
),
lives as (
  select
    customer_id,
    case
      when coalesce(started_at, last_login_time) > since_at then epoch(coalesce(started_at, last_login_time))
      else epoch(since_at)
    end as from_s,
    coalesce(epoch(over_at), epoch(until_at)) as to_s
  from sessions
  cross join period
  where customer_id in (select customer_id from frequent)
),
moves as (
  select customer_id, from_s as at_s, 1 as change from lives where to_s > from_s
  union all
  select customer_id, to_s as at_s, -1 as change from lives where to_s > from_s
),
moments as (
  select customer_id, at_s, sum(change) as change from moves group by customer_id, at_s
),
levels as (
  select
    customer_id, at_s,
    sum(change) over (partition by customer_id order by at_s rows unbounded preceding) as live,
    lead(at_s) over (partition by customer_id order by at_s) - at_s as seconds
  from moments
),
held as (
  select customer_id, live, sum(seconds) as seconds, min(at_s) as first_at_s
  from levels
  where live > 0
  group by customer_id, live
),
shares as (
  select
    customer_id, live, seconds, first_at_s,
    sum(seconds) over (partition by customer_id order by live desc rows unbounded preceding) - seconds as seconds_above,
    sum(seconds) over (partition by customer_id) as seconds_online,
    max(live) over (partition by customer_id) as most
  from held
),
customers as (
  select
    customer_id,
    max(most) as most,
    max(case when live = most then first_at_s end) as at_s,
    min(case when seconds_above <= 0.01 * seconds_online then live end) as own_p99,
    max(seconds_online) as seconds_online
  from shares
  group by customer_id
)
select customer_id, most, at_s, own_p99, seconds_online
from customers
where most > own_p99 and most >= 3
order by most - own_p99 desc, most desc, customer_id
limit 10
