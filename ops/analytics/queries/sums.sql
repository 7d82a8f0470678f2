-- What several pictures count, each in its own way: rows of one name have to show one number.
-- Reads: sessions, transitions, report_range, arrivals.
WITH placed AS (
    SELECT
        sessions.*,
        report_range.since,
        report_range.until,
        COALESCE(sessions.started_at, sessions.last_login_time, report_range.since) AS first_seen
    FROM sessions
    CROSS JOIN report_range
),

by_reason AS (
    SELECT over_reason, COUNT(*) AS number FROM sessions WHERE over_at IS NOT NULL GROUP BY over_reason
),

by_source AS (
    SELECT source, COUNT(*) AS number FROM sessions GROUP BY source
),

by_country AS (
    SELECT country, COUNT(*) AS number FROM sessions GROUP BY country
),

by_customer AS (
    SELECT customer_id, COUNT(*) AS number FROM sessions GROUP BY customer_id
),

by_day AS (
    SELECT DATE_TRUNC('day', started_at) AS day, COUNT(*) AS number FROM sessions GROUP BY DATE_TRUNC('day', started_at)
),

by_kind AS (
    SELECT kind, COUNT(*) AS number FROM transitions GROUP BY kind
)

SELECT 'sessions' AS name, 'rows of sessions' AS picture, COUNT(*) AS number FROM sessions
UNION ALL
SELECT 'sessions', 'by source', COALESCE(SUM(number), 0) FROM by_source
UNION ALL
SELECT 'sessions', 'by country', COALESCE(SUM(number), 0) FROM by_country
UNION ALL
SELECT 'sessions', 'by customer', COALESCE(SUM(number), 0) FROM by_customer
UNION ALL
SELECT 'sessions', 'by day of their start', COALESCE(SUM(number), 0) FROM by_day
UNION ALL
SELECT 'sessions', 'live before the range, and started in it', COUNT(*) FROM placed
WHERE since IS NULL OR first_seen <= since OR (first_seen > since AND first_seen < until)
UNION ALL
SELECT 'sessions over', 'rows of sessions', COUNT(*) FROM sessions WHERE over_at IS NOT NULL
UNION ALL
SELECT 'sessions over', 'by reason', COALESCE(SUM(number), 0) FROM by_reason
UNION ALL
SELECT 'sessions over', 'started and no longer live at the end', COUNT(*) - COUNT(CASE WHEN over_at IS NULL THEN 1 END)
FROM placed
UNION ALL
SELECT 'events', 'rows of transitions', COUNT(*) FROM transitions
UNION ALL
SELECT 'events', 'by kind', COALESCE(SUM(number), 0) FROM by_kind
