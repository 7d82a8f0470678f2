-- First login of a customer from a country, after at least five logins of the range from elsewhere.
-- Why look: an account taken over is first seen from a new place. Innocent: a journey, a VPN, a mobile network's gateway.
-- Reads sessions.
with travellers as (
  select customer_id from sessions where country is not null group by customer_id having min(country) <> max(country)
),
logins as (
  select
    customer_id, session_id, country, epoch(started_at) as at_s, source,
    row_number() over (partition by customer_id order by started_at, session_id) - 1 as logins_before,
    row_number() over (partition by customer_id, country order by started_at, session_id) as login_there
  from sessions
  where country is not null and started_at is not null
    and customer_id in (select customer_id from travellers)
)
select customer_id, at_s, country, logins_before, session_id, source
from logins
where login_there = 1 and logins_before >= 5
order by logins_before desc, at_s, customer_id
limit 10
