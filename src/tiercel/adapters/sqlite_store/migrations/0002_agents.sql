-- What agents say: signals to one another in the log (kind 'signal', whose source is whom it is to), beats beside it.

CREATE INDEX signals_by_agent ON events (source, position) WHERE kind = 'signal';

CREATE TABLE beats (
    agent_id TEXT    PRIMARY KEY,
    until_us INTEGER NOT NULL,                  -- kept until then, microseconds since the epoch
    body     TEXT    NOT NULL                   -- the whole beat, JSON
);

CREATE INDEX beats_by_time ON beats (until_us);

PRAGMA user_version = 2;
