-- Customers who had, for a moment, three or more sessions at once, and more than during 99 % of the time in which they
-- had any: above their own p99.
-- Why look: one account used by many, or its session taken over. Innocent: a new device that logs in everywhere.
-- Reads labelled, customers and period (since_at, until_at).
with frequent as (
  select customer from labelled where customer is not null group by customer having count(*) >= 3
),
lives as (
  select
    customer,
    case when started_s > epoch(since_at) then started_s else epoch(since_at) end as from_s,
    coalesce(over_s, epoch(until_at)) as to_s
  from labelled
  cross join period
  where customer in (select customer from frequent)
),
moves as (
  select customer, from_s as at_s, 1 as change from lives where to_s > from_s
  union all
  select customer, to_s as at_s, -1 as change from lives where to_s > from_s
),
moments as (
  select customer, at_s, sum(change) as change from moves group by customer, at_s
),
levels as (
  select
    customer, at_s,
    sum(change) over (partition by customer order by at_s rows unbounded preceding) as live,
    lead(at_s) over (partition by customer order by at_s) - at_s as seconds
  from moments
),
held as (
  select customer, live, sum(seconds) as seconds, min(at_s) as first_at_s
  from levels
  where live > 0
  group by customer, live
),
shares as (
  select
    customer, live, seconds, first_at_s,
    sum(seconds) over (partition by customer order by live desc rows unbounded preceding) - seconds as seconds_above,
    sum(seconds) over (partition by customer) as seconds_online,
    max(live) over (partition by customer) as most
  from held
),
most_at_once as (
  select
    customer,
    max(most) as most,
    max(case when live = most then first_at_s end) as at_s,
    min(case when seconds_above <= 0.01 * seconds_online then live end) as own_p99,
    max(seconds_online) as seconds_online
  from shares
  group by customer
)
select customer_id, most, at_s, own_p99, seconds_online
from most_at_once
join customers using (customer)
where most > own_p99 and most >= 3
order by most - own_p99 desc, most desc, customer_id
limit 10
