-- Made by `python -m ops.analytics.athena`: do not edit. Run in Athena, statement by statement, after replacing BUCKET
-- with the stack's output ArchiveBucketName. Partitions are computed, so no crawler and no MSCK REPAIR TABLE is needed.
-- Times of the views are UTC timestamps without zone, which is what a view of Athena can hold.

CREATE EXTERNAL TABLE IF NOT EXISTS session_events (
  id string,
  format int,
  kind string,
  occurred_at string,
  over_at string,
  over_reason string,
  session struct<session_id:string,customer_id:string,parent_session_id:string,started_at:string,last_login_time:string,expires_at:string,ended_at:string,end_reason:string,client_ip:string,user_agent:string,device_id:string,country:string,source:string,version:bigint>
)
PARTITIONED BY (year int, month int, day int)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
LOCATION 's3://BUCKET/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2026,2046',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'projection.month.digits' = '2',
  'projection.day.type' = 'integer',
  'projection.day.range' = '1,31',
  'projection.day.digits' = '2',
  'storage.location.template' = 's3://BUCKET/year=${year}/month=${month}/day=${day}/'
);

CREATE OR REPLACE VIEW events AS
SELECT
  id,
  kind,
  CAST(FROM_ISO8601_TIMESTAMP(occurred_at) AT TIME ZONE 'UTC' AS timestamp) AS occurred_at,
  CAST(FROM_ISO8601_TIMESTAMP(over_at) AT TIME ZONE 'UTC' AS timestamp) AS over_at,
  over_reason,
  session.session_id AS session_id,
  session.customer_id AS customer_id,
  session.parent_session_id AS parent_session_id,
  session.version AS version,
  CAST(FROM_ISO8601_TIMESTAMP(session.started_at) AT TIME ZONE 'UTC' AS timestamp) AS started_at,
  CAST(FROM_ISO8601_TIMESTAMP(session.last_login_time) AT TIME ZONE 'UTC' AS timestamp) AS last_login_time,
  CAST(FROM_ISO8601_TIMESTAMP(session.expires_at) AT TIME ZONE 'UTC' AS timestamp) AS expires_at,
  CAST(FROM_ISO8601_TIMESTAMP(session.ended_at) AT TIME ZONE 'UTC' AS timestamp) AS ended_at,
  session.end_reason AS end_reason,
  session.client_ip AS client_ip,
  session.user_agent AS user_agent,
  session.device_id AS device_id,
  session.country AS country,
  session.source AS source
FROM session_events
WHERE format = 1;

CREATE OR REPLACE VIEW report_range AS
SELECT CAST(NULL AS timestamp) AS since, CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp) AS until;

CREATE OR REPLACE VIEW latest AS
WITH keyed AS (
  SELECT
    *,
    COALESCE(parent_session_id, session_id) AS first_id,
    CASE WHEN parent_session_id IS NULL THEN customer_id ELSE session_id END AS second_id,
    version * 4 + CASE kind WHEN 'expired' THEN 3 WHEN 'ended' THEN 2 WHEN 'refreshed' THEN 1 ELSE 0 END AS place
  FROM events
), newest AS (
  SELECT
    first_id,
    second_id,
    MAX(place) AS place
  FROM keyed
  GROUP BY
    first_id,
    second_id
), numbered AS (
  SELECT
    keyed.*,
    ROW_NUMBER() OVER (
      PARTITION BY keyed.first_id, keyed.second_id
      ORDER BY keyed.occurred_at, keyed.over_at, keyed.over_reason, keyed.customer_id, keyed.session_id, keyed.started_at, keyed.last_login_time, keyed.expires_at, keyed.ended_at, keyed.end_reason, keyed.client_ip, keyed.user_agent, keyed.device_id, keyed.country, keyed.source
    ) AS copy
  FROM keyed
  INNER JOIN newest
    ON keyed.first_id = newest.first_id
    AND keyed.second_id = newest.second_id
    AND keyed.place = newest.place
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
WHERE
  copy = 1;

CREATE OR REPLACE VIEW sessions AS
WITH ends AS (
  SELECT
    latest.*,
    report_range.since,
    report_range.until,
    COALESCE(latest.over_at, latest.expires_at) AS own_end,
    CASE
      WHEN NOT latest.over_at IS NULL
      THEN latest.over_reason
      WHEN NOT latest.expires_at IS NULL
      THEN 'expired'
    END AS own_reason
  FROM latest
  CROSS JOIN report_range
), counted AS (
  SELECT
    *,
    CASE
      WHEN own_end < until
      OR (
        own_end = until AND COALESCE(own_reason, '') <> 'expired'
      )
      THEN own_end
    END AS counted_end
  FROM ends
), joined AS (
  SELECT
    child.*,
    CASE
      WHEN child.counted_end IS NULL OR parent.counted_end < child.counted_end
      THEN parent.counted_end
    END AS parent_end
  FROM counted AS child
  LEFT JOIN counted AS parent
    ON child.parent_session_id = parent.session_id
    AND child.customer_id = parent.customer_id
    AND parent.parent_session_id IS NULL
), judged AS (
  SELECT
    *,
    COALESCE(parent_end, counted_end) AS final_end,
    CASE
      WHEN NOT parent_end IS NULL
      THEN 'parent'
      WHEN NOT counted_end IS NULL
      THEN own_reason
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
  (
    first_seen IS NULL OR first_seen < until
  )
  AND (
    final_end IS NULL OR first_seen IS NULL OR first_seen < final_end
  )
  AND (
    final_end IS NULL OR since IS NULL OR since < final_end
  );

CREATE OR REPLACE VIEW transitions AS
WITH numbered AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY id
      ORDER BY version DESC, occurred_at, over_at, over_reason, customer_id, session_id, kind
    ) AS place
  FROM events
)
SELECT
  id,
  kind,
  occurred_at,
  session_id,
  customer_id,
  version,
  over_at,
  over_reason
FROM numbered
WHERE
  place = 1;

CREATE OR REPLACE VIEW arrivals AS
SELECT
  kind,
  occurred_at,
  CAST(FROM_UNIXTIME(CAST(version AS DOUBLE) / 1000.0) AT TIME ZONE 'UTC' AS timestamp) AS arrived_at
FROM transitions
WHERE
  kind <> 'expired' AND version BETWEEN 946684800000 AND 4102444800000;
