-- A row an event id: of several lines with one id that with the greatest version, of copies one. Reads: events.
WITH newest AS (
    SELECT id, MAX(version) AS version
    FROM events
    GROUP BY id
)

SELECT
    events.id,
    MIN(events.kind) AS kind,
    MIN(events.occurred_at) AS occurred_at,
    MIN(events.session_id) AS session_id,
    MIN(events.customer_id) AS customer_id,
    newest.version,
    MIN(events.over_at) AS over_at,
    MIN(events.over_reason) AS over_reason
FROM events
INNER JOIN newest
    ON events.id = newest.id AND events.version = newest.version
GROUP BY events.id, newest.version
