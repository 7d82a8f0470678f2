-- The sessions that are live at a moment: started, and neither over nor run out, nor a child whose parent has run out.
-- Reads: sessions, report_moment.
SELECT sessions.*
FROM sessions
CROSS JOIN report_moment
LEFT JOIN sessions AS parent
    ON sessions.parent_session_id = parent.session_id
    AND sessions.customer_id = parent.customer_id
    AND parent.parent_session_id IS NULL
WHERE
    (COALESCE(sessions.started_at, sessions.last_login_time) <= report_moment.moment
        OR (COALESCE(sessions.started_at, sessions.last_login_time) IS NULL AND sessions.over_at IS NULL))
    AND (sessions.over_at IS NULL OR report_moment.moment < sessions.over_at)
    AND (sessions.expires_at IS NULL OR report_moment.moment < sessions.expires_at)
    AND (parent.expires_at IS NULL OR report_moment.moment < parent.expires_at)
