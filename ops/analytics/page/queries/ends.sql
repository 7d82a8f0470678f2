-- How sessions of the range ended, by source and country. "still live" is how many had not ended at the end of the range.
-- Reads labelled.
select
  case when over_s is null then 'still live' else over_reason end as ending,
  source, country,
  count(*) as sessions
from labelled
group by 1, 2, 3
order by sessions desc, 1, 2, 3
