-- Logins (sessions that started in the range) by source, country and kind of device. The device is read from the user
-- agent.
-- Reads labelled and period (since_at).
select source, country, device, count(*) as logins
from labelled
cross join period
where started_s >= epoch(since_at)
group by source, country, device
order by logins desc, source, country, device
