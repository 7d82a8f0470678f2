-- Active customers a day (UTC), and in the 7 and the 30 days that end with it. A customer is active on a day on which
-- one of the customer's sessions started, or was refreshed. day counts from 1970-01-01.
-- Every login is an event of its own; where the archive lacks some, a session's first and last login are known still.
-- Reads labelled, transitions, customers and period (since_at, until_at).
with logins as (
  select customers.customer, epoch(transitions.occurred_at) as at_s
  from transitions
  join customers on customers.customer_id = transitions.customer_id
  where transitions.kind in ('started', 'refreshed')
  union all
  select customer, started_s as at_s from labelled
  union all
  select customer, refreshed_s as at_s from labelled where refreshed_s > started_s
),
active as (
  select distinct customer, cast(floor(at_s / 86400) as bigint) as day
  from logins
  cross join period
  where at_s >= epoch(since_at) and at_s < epoch(until_at)
),
-- An active day counts in the days after it as well, until the customer's next one takes over.
spans as (
  select day, lead(day, 1, day + 99999) over (partition by customer order by day) as next_day
  from active
),
changes as (
  select day, count(*) as daily, count(*) as weekly, count(*) as monthly from spans group by day
  union all
  select least(day + 7, next_day) as day, 0, -count(*), 0 from spans group by least(day + 7, next_day)
  union all
  select least(day + 30, next_day) as day, 0, 0, -count(*) from spans group by least(day + 30, next_day)
),
days as (
  select day
  from period
  cross join unnest(generate_series(
    cast(floor(epoch(since_at) / 86400) as bigint),
    cast(ceil(epoch(until_at) / 86400) as bigint) - 1
  )) as numbers(day)
)
select
  days.day,
  coalesce(sum(daily), 0) as daily,
  sum(coalesce(sum(weekly), 0)) over (order by days.day rows unbounded preceding) as weekly,
  sum(coalesce(sum(monthly), 0)) over (order by days.day rows unbounded preceding) as monthly
from days
left join changes on changes.day = days.day
group by days.day
order by days.day
