-- What is done about alerts: who acknowledged them, and who was told of them.

CREATE INDEX alert_trail_by_time ON events (at_us) WHERE kind IN ('acknowledgement', 'notice');

PRAGMA user_version = 3;
