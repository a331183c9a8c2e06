-- A rating may come while the decision that it is of waits, and what the call did.

ALTER TABLE waiting ADD COLUMN decision_id TEXT;  -- of decisions and outcomes

CREATE INDEX waiting_decision ON waiting (decision_id) WHERE decision_id IS NOT NULL;

PRAGMA user_version = 2;
