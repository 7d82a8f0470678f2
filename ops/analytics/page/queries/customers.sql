-- The table "customers": a number for each customer of the range. Numbers are cheaper to compare than pseudonyms.
-- Reads sessions.
select customer_id, row_number() over (order by customer_id) as customer
from (select distinct customer_id from sessions where customer_id is not null) as known
