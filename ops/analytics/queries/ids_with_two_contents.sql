-- Event ids that stand for different contents. One id has one content, unless archives are mixed, or another program
-- writes to the sessions table. Reads: events.
SELECT DISTINCT id
FROM (SELECT DISTINCT * FROM events) AS contents
GROUP BY id, version
HAVING COUNT(*) > 1
