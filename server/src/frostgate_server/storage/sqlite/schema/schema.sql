-- The state of frostgate. Times are microseconds since 1970, UTC; enums are the numbers of the wire.

-- One row: where the order of changes stands.
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    database_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- The hash of the last event, to which the next one is chained.
    hash TEXT NOT NULL,
    -- The same of the audit log.
    audit_sequence INTEGER NOT NULL,
    audit_hash TEXT NOT NULL
) STRICT;

CREATE TABLE partners (
    partner_id TEXT PRIMARY KEY NOT NULL,
    verification_code_enabled INTEGER NOT NULL DEFAULT 0 CHECK (verification_code_enabled IN (0, 1)),
    -- An e-mail address, or empty.
    verification_contact TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- The one code of a partner that may still be good: a digest under a key that is not in the database.
CREATE TABLE verification_codes (
    partner_id TEXT PRIMARY KEY NOT NULL,
    code_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    expire_time INTEGER NOT NULL,
    tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What counts against a partner's limits: codes that were sent (1), tries that failed or have not ended (2), and
-- sendings that were tried (3), the last also of a contact, behind an @.
CREATE TABLE verification_counts (
    whom TEXT NOT NULL,
    kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
    count_id TEXT NOT NULL,
    count_time INTEGER NOT NULL,
    PRIMARY KEY (whom, kind, count_id)
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

-- What was refused to callers that are known, and what was done to partners.
CREATE TABLE audit_entries (
    sequence INTEGER PRIMARY KEY,
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    -- The error's reason; empty for what was done.
    reason TEXT NOT NULL,
    subject TEXT NOT NULL,
    note_time INTEGER NOT NULL,
    omitted INTEGER NOT NULL,
    -- Of an update: the partner as it was from then on.
    partner_id TEXT,
    verification_code_enabled INTEGER,
    verification_contact TEXT,
    -- Over this entry and the hash of the one before.
    hash TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_entries_are_not_edited BEFORE UPDATE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
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
