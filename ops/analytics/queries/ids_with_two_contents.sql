-- Event ids that stand for different contents. One id has one content, unless archives are mixed, or another program
-- writes to the sessions table. Reads: events.
SELECT id
FROM events
GROUP BY id, version
HAVING
    COUNT(*) > 1
    AND (
        MIN(occurred_at) <> MAX(occurred_at)
        OR MIN(over_at) <> MAX(over_at)
        OR COUNT(over_at) NOT IN (0, COUNT(*))
        OR MIN(started_at) <> MAX(started_at)
        OR MIN(last_login_time) <> MAX(last_login_time)
        OR MIN(expires_at) <> MAX(expires_at)
        OR MIN(customer_id) <> MAX(customer_id)
    )
