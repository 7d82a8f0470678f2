-- A row an event id: of several lines with one id that with the greatest version, of several contents always the same
-- one, whole. Reads: events.
WITH numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY id ORDER BY version DESC, occurred_at, over_at, over_reason, customer_id, session_id, kind
        ) AS place
    FROM events
)

SELECT id, kind, occurred_at, session_id, customer_id, version, over_at, over_reason
FROM numbered
WHERE place = 1
