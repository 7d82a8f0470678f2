-- The table "labelled": what the pictures count, a row a session of the range.
-- Reads sessions and customers. Times are seconds since 1970. The eight commonest countries and six commonest sources
-- keep their names. A session that was over before it started, by clocks that disagree, lasts no time.
with countries as (
  select country, row_number() over (order by count(*) desc, country) as place
  from sessions where country is not null group by country
),
sources as (
  select source, row_number() over (order by count(*) desc, source) as place
  from sessions where source is not null group by source
),
timed as (
  select
    customer_id, source, country, lower(user_agent) as agent, over_reason,
    epoch(coalesce(started_at, last_login_time)) as started_s,
    epoch(coalesce(last_login_time, started_at)) as refreshed_s,
    epoch(over_at) as over_s
  from sessions
)
select
  customers.customer,
  case when timed.source is null then '(unknown)' when sources.place > 6 then '(other)' else timed.source end as source,
  case when timed.country is null then '(unknown)' when countries.place > 8 then '(other)' else timed.country end
    as country,
  case
    when agent is null then '(unknown)'
    when agent like '%tv%' then 'TV'
    when agent like '%ipad%' or agent like '%tablet%' then 'tablet'
    when agent like '%iphone%' or agent like '%android%' or agent like '%mobile%' then 'phone'
    when agent like '%windows%' or agent like '%macintosh%' or agent like '%linux%' or agent like '%cros%'
      then 'computer'
    else '(other)'
  end as device,
  coalesce(over_reason, '(not said)') as over_reason,
  started_s,
  case when refreshed_s < started_s then started_s else refreshed_s end as refreshed_s,
  case when over_s < started_s then started_s else over_s end as over_s
from timed
left join customers on customers.customer_id = timed.customer_id
left join sources on sources.source = timed.source
left join countries on countries.country = timed.country
