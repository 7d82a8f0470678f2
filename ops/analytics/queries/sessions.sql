-- A row a session that was live at some moment of the range [since, until): its state, and when and why it was over.
-- An expiry before `until` counts, told or not; an end after `until` is null. A child is over with its parent, where that
-- is earlier. Reads: latest, report_range.
WITH ends AS (
    SELECT
        latest.*,
        report_range.since,
        report_range.until,
        COALESCE(latest.over_at, latest.expires_at) AS own_end,
        CASE
            WHEN latest.over_at IS NOT NULL THEN latest.over_reason
            WHEN latest.expires_at IS NOT NULL THEN 'expired'
        END AS own_reason
    FROM latest
    CROSS JOIN report_range
),

counted AS (
    SELECT
        *,
        CASE
            WHEN own_end < until OR (own_end = until AND COALESCE(own_reason, '') <> 'expired') THEN own_end
        END AS counted_end
    FROM ends
),

joined AS (
    SELECT
        child.*,
        CASE
            WHEN child.counted_end IS NULL OR parent.counted_end < child.counted_end THEN parent.counted_end
        END AS parent_end
    FROM counted AS child
    LEFT JOIN counted AS parent
        ON child.parent_session_id = parent.session_id
        AND child.customer_id = parent.customer_id
        AND parent.parent_session_id IS NULL
),

judged AS (
    SELECT
        *,
        COALESCE(parent_end, counted_end) AS final_end,
        CASE
            WHEN parent_end IS NOT NULL THEN 'parent'
            WHEN counted_end IS NOT NULL THEN own_reason
        END AS final_reason,
        COALESCE(started_at, last_login_time) AS first_seen
    FROM joined
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
    final_end AS over_at,
    final_reason AS over_reason
FROM judged
WHERE
    (first_seen IS NULL OR first_seen < until)
    AND (final_end IS NULL OR first_seen IS NULL OR first_seen < final_end)
    AND (final_end IS NULL OR since IS NULL OR since < final_end)
