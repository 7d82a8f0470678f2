-- When each change happened, and when the register wrote it: a version is the write's epoch milliseconds.
-- Reads: transitions.
SELECT
    kind,
    occurred_at,
    TO_TIMESTAMP(version / 1000.0) AS arrived_at
FROM transitions
WHERE kind <> 'expired' AND version BETWEEN 946684800000 AND 4102444800000
