-- The sessions that are live at a moment. Reads: sessions, report_moment.
SELECT sessions.*
FROM sessions
CROSS JOIN report_moment
WHERE
    (COALESCE(sessions.started_at, sessions.last_login_time) <= report_moment.moment
        OR (COALESCE(sessions.started_at, sessions.last_login_time) IS NULL AND sessions.over_at IS NULL))
    AND (sessions.over_at IS NULL OR report_moment.moment < sessions.over_at)
