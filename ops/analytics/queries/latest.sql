-- The present state of each session: the event with the greatest version, of one version the expiry, else the end.
-- A session is (session id, customer id), a child session (parent's id, session id). Each event carries the whole state
-- of its session, so copies, reorderings and gaps before the last event change nothing. Reads: events.
WITH keyed AS (
    SELECT
        *,
        COALESCE(parent_session_id, session_id) AS first_id,
        CASE WHEN parent_session_id IS NULL THEN customer_id ELSE session_id END AS second_id,
        version * 4 + CASE kind WHEN 'expired' THEN 3 WHEN 'ended' THEN 2 WHEN 'refreshed' THEN 1 ELSE 0 END AS place
    FROM events
),

newest AS (
    SELECT first_id, second_id, MAX(place) AS place
    FROM keyed
    GROUP BY first_id, second_id
)

SELECT DISTINCT
    keyed.session_id,
    keyed.customer_id,
    keyed.parent_session_id,
    keyed.version,
    keyed.started_at,
    keyed.last_login_time,
    keyed.expires_at,
    keyed.ended_at,
    keyed.end_reason,
    keyed.client_ip,
    keyed.user_agent,
    keyed.device_id,
    keyed.country,
    keyed.source,
    keyed.over_at,
    keyed.over_reason
FROM keyed
INNER JOIN newest
    ON keyed.first_id = newest.first_id AND keyed.second_id = newest.second_id AND keyed.place = newest.place
