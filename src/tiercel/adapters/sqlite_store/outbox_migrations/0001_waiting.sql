-- Events on their way to a store that is away.

CREATE TABLE waiting (
    position      INTEGER PRIMARY KEY,          -- the order in which they came
    kind          TEXT    NOT NULL,             -- decision | outcome | feedback | standing | alert
    crc           INTEGER NOT NULL,             -- CRC-32 of body
    body          TEXT    NOT NULL              -- the whole event, JSON
);

PRAGMA application_id = 1953066850;             -- "tiob" in ASCII
PRAGMA user_version = 1;
