-- A store may have parts that are away alone: what waits for each is delivered by itself.

ALTER TABLE waiting ADD COLUMN part INTEGER NOT NULL DEFAULT 0;

CREATE INDEX waiting_part ON waiting (part, position);

PRAGMA user_version = 3;
