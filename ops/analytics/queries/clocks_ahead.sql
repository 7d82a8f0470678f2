-- Events that had not happened yet, by the clock of the register that wrote them (a version is its epoch milliseconds,
-- with a minute of grace) or by the clock of the reader: the clock of a publisher, or this one, is wrong.
-- Reads: events, reader_clock.
SELECT events.id
FROM events
CROSS JOIN reader_clock
WHERE
    events.occurred_at > reader_clock.now_at
    OR (
        events.kind <> 'expired'
        AND events.version BETWEEN 946684800000 AND 4102444800000
        AND events.occurred_at > TO_TIMESTAMP(events.version / 1000.0) + INTERVAL '1' MINUTE
    )
