-- The log, the learned state and how far the one has been learned into the other.

CREATE TABLE events (
    position      INTEGER PRIMARY KEY,          -- the order of the log; never used twice
    kind          TEXT    NOT NULL,             -- decision | outcome | feedback | standing | alert
    id            TEXT    NOT NULL,
    at_us         INTEGER NOT NULL,             -- when it happened, microseconds since the epoch
    decision_id   TEXT,                         -- of outcomes, and of feedback that rates a decision
    completion_id TEXT,
    workflow      TEXT,
    stage         TEXT,
    tier          TEXT,
    source        TEXT,
    superseded    INTEGER NOT NULL DEFAULT 0,   -- 1: a rating that a newer one of its source revises
    crc           INTEGER NOT NULL,             -- CRC-32 of body
    body          TEXT    NOT NULL              -- the whole event, JSON
);

CREATE UNIQUE INDEX events_by_id ON events (id, kind);
CREATE INDEX events_by_time ON events (at_us);
CREATE INDEX decisions_by_time ON events (at_us) WHERE kind = 'decision';
CREATE INDEX alerts_by_time ON events (at_us) WHERE kind = 'alert';
CREATE INDEX outcomes_of_decision ON events (decision_id) WHERE kind = 'outcome';
CREATE INDEX outcomes_by_completion ON events (completion_id) WHERE completion_id IS NOT NULL;
CREATE UNIQUE INDEX ratings_of_decision ON events (decision_id, source)
    WHERE kind = 'feedback' AND superseded = 0 AND decision_id IS NOT NULL;
CREATE INDEX ratings_of_stage ON events (workflow, superseded, stage, tier, at_us)
    WHERE kind = 'feedback' AND workflow IS NOT NULL;

CREATE TABLE state (
    layer   TEXT    NOT NULL,                   -- learned: from all events up to progress.learned
                                                -- trimmed: from the events that are no longer in the log
    part    TEXT    NOT NULL,                   -- sums | outcomes | ratings | standing
    key     TEXT    NOT NULL,                   -- JSON
    width_s INTEGER NOT NULL,                   -- the time bucket of sums, else 0
    start_s INTEGER NOT NULL,
    crc     INTEGER NOT NULL,                   -- CRC-32 of part, key, bucket and body
    body    TEXT    NOT NULL,
    UNIQUE (layer, part, key, width_s, start_s)
);

CREATE INDEX sums_by_age ON state (width_s, start_s) WHERE part = 'sums';

CREATE TABLE progress (
    only           INTEGER PRIMARY KEY CHECK (only = 1),
    position       INTEGER NOT NULL,            -- of the newest entry of the log
    learned        INTEGER NOT NULL,            -- position up to which the learned layer has learned
    floor          INTEGER NOT NULL,            -- position below which the log cannot be followed any more
    generation     INTEGER NOT NULL,            -- counts what changed the log or the state other than by appending
    compacted_at_s REAL    NOT NULL,            -- the time of the last compaction
    crc            INTEGER NOT NULL             -- CRC-32 of these figures
);

INSERT INTO progress VALUES (1, 0, 0, 0, 0, 0.0, 3204977117);

PRAGMA application_id = 1953064306;             -- "tier" in ASCII
PRAGMA user_version = 1;
