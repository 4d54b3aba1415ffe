-- The state of frostgate. Times are microseconds since 1970, UTC; enums are the numbers of the wire.

-- One row: where the order of changes stands.
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    database_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- The hash of the last event, to which the next one is chained.
    hash TEXT NOT NULL
) STRICT;

CREATE TABLE partners (
    partner_id TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE customers (
    customer_id TEXT PRIMARY KEY NOT NULL,
    freeze_state INTEGER NOT NULL CHECK (freeze_state IN (1, 2, 3)),
    revision INTEGER NOT NULL,
    -- Over customer_id, freeze_state and revision: an edit from outside does not go unseen.
    checksum INTEGER NOT NULL,
    partner_id TEXT NOT NULL,
    freeze_reason TEXT,
    freeze_time INTEGER,
    retention_expire_time INTEGER,
    associate_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX customers_of_partner ON customers (partner_id, customer_id);

CREATE TABLE events (
    revision INTEGER PRIMARY KEY,
    customer_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    action INTEGER NOT NULL,
    scope INTEGER,
    state_before INTEGER,
    state_after INTEGER,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT NOT NULL,
    event_time INTEGER NOT NULL,
    retention_expire_time INTEGER,
    -- Over this event and the hash of the one before.
    hash TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_customer ON events (customer_id, revision);
CREATE INDEX events_of_partner ON events (partner_id, revision);
CREATE INDEX events_by_time ON events (event_time);

CREATE TRIGGER events_are_not_edited BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- Answers to changes, kept so that a repeated request gets the first one again.
CREATE TABLE answers (
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    answer_time INTEGER NOT NULL,
    PRIMARY KEY (principal, method, request_id)
) STRICT;

CREATE INDEX answers_by_time ON answers (answer_time);
