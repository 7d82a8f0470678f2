-- Top-level sessions that are live for the archive alone, or for the projections alone, at a moment.
-- Reads: latest, projected (the sessions in the projections), report_moment.
WITH archived AS (
    SELECT latest.customer_id, latest.session_id, latest.version
    FROM latest
    CROSS JOIN report_moment
    WHERE
        latest.parent_session_id IS NULL
        AND latest.over_at IS NULL
        AND (latest.expires_at IS NULL OR report_moment.moment < latest.expires_at)
),

live AS (
    SELECT projected.customer_id, projected.session_id
    FROM projected
    CROSS JOIN report_moment
    WHERE NOT projected.is_ending AND report_moment.moment < projected.expires_at
)

SELECT
    COALESCE(archived.customer_id, live.customer_id) AS customer_id,
    COALESCE(archived.session_id, live.session_id) AS session_id,
    archived.session_id IS NOT NULL AS is_live_in_archive
FROM archived
FULL OUTER JOIN live
    ON archived.customer_id = live.customer_id AND archived.session_id = live.session_id
WHERE archived.session_id IS NULL OR live.session_id IS NULL
