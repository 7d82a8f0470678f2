-- Two logins of one customer, one after the other, from two countries in less than two hours. Only countries are known,
-- no places: neighbours are reached in that time by train, so look at the pair.
-- Why look: two people use the account. Innocent: a border, a VPN, a mobile network's gateway.
-- Reads sessions.
with travellers as (
  select customer_id from sessions where country is not null group by customer_id having min(country) <> max(country)
),
logins as (
  select
    customer_id, session_id, country, epoch(started_at) as at_s,
    lag(country) over (partition by customer_id order by started_at, session_id) as country_before,
    lag(epoch(started_at)) over (partition by customer_id order by started_at, session_id) as before_s
  from sessions
  where country is not null and started_at is not null
    and customer_id in (select customer_id from travellers)
)
select customer_id, at_s, country_before, country, at_s - before_s as seconds, session_id
from logins
where country <> country_before and at_s - before_s < 2 * 3600
order by seconds, at_s, customer_id
limit 10
