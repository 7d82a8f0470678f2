-- The present state of each session: the event with the greatest version, of one version the expiry, else the end.
-- A session is (session id, customer id), a child session (parent's id, session id). Each event carries the whole state
-- of its session, so copies, reorderings and gaps before the last event change nothing. Of several contents under one id
-- it is always the same one, whole, and the one that transitions.sql keeps. Reads: events.
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
),

numbered AS (
    SELECT
        keyed.*,
        ROW_NUMBER() OVER (
            PARTITION BY keyed.first_id, keyed.second_id
            ORDER BY
                keyed.occurred_at, keyed.over_at, keyed.over_reason, keyed.customer_id, keyed.session_id,
                keyed.started_at, keyed.last_login_time, keyed.expires_at, keyed.ended_at, keyed.end_reason,
                keyed.client_ip, keyed.user_agent, keyed.device_id, keyed.country, keyed.source
        ) AS copy
    FROM keyed
    INNER JOIN newest
        ON keyed.first_id = newest.first_id AND keyed.second_id = newest.second_id AND keyed.place = newest.place
)

SELECT
    session_id,
    customer_id,
    parent_session_id,
    version,
    started_at,
    last_login_time,
    expires_at,
    ended_at,
    end_reason,
    client_ip,
    user_agent,
    device_id,
    country,
    source,
    over_at,
    over_reason
FROM numbered
WHERE copy = 1
