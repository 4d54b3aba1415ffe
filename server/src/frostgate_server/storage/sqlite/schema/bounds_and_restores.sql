-- A bound of kept answers for each caller, and a record of restores. This reads no rows of other tables.

-- How much is kept in answers for a caller, by the hour in which it was kept: hours since 1970, UTC. Answers that were
-- kept before this table was made are not counted: they expire within 24 hours.
CREATE TABLE kept_answers (
    principal TEXT NOT NULL,
    hour INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (principal, hour)
) STRICT, WITHOUT ROWID;

-- The jumps of the revision. Revisions after last_revision, up to floor, are not in the history that goes on from floor.
CREATE TABLE restores (
    number INTEGER PRIMARY KEY,
    command TEXT NOT NULL CHECK (command IN ('recover', 'restore')),
    last_revision INTEGER NOT NULL,
    floor INTEGER NOT NULL CHECK (floor > last_revision),
    restore_time INTEGER NOT NULL
) STRICT;

CREATE TRIGGER restores_are_only_added BEFORE INSERT ON restores
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM restores)
    OR NEW.last_revision < (SELECT coalesce(max(floor), 0) FROM restores)
BEGIN
    SELECT RAISE(ABORT, 'restores are append-only');
END;

CREATE TRIGGER restores_are_not_edited BEFORE UPDATE ON restores
BEGIN
    SELECT RAISE(ABORT, 'restores are append-only');
END;

CREATE TRIGGER restores_are_not_removed BEFORE DELETE ON restores
BEGIN
    SELECT RAISE(ABORT, 'restores are append-only');
END;
