"""The page of the report: pictures, their numbers, and the SQL that made them, in one file that needs no network."""
