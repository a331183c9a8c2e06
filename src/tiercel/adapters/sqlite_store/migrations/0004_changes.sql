-- The audit log: every change of what serves a segment, by time.

CREATE INDEX changes_by_time ON events (at_us) WHERE kind = 'standing';

PRAGMA user_version = 4;
