-- Rows have numbers of their own and keys an index besides, so that a flipped bit in either is seen by the
-- integrity check: it compares the two.

CREATE TABLE meta (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    trust_changes    INTEGER NOT NULL,
    trust_changed_at INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0);

-- The allow-list.
CREATE TABLE devices (
    id          INTEGER PRIMARY KEY,
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    label       TEXT    NOT NULL,
    paired_at   INTEGER NOT NULL CHECK (paired_at >= 0),
    paired_by   TEXT    NOT NULL CHECK (paired_by IN ('pin', 'approval', 'approval-not-compared')),
    last_seen   INTEGER          CHECK (last_seen >= 0)
) STRICT;

-- What was removed, until it is paired again.
CREATE TABLE tombstones (
    id          INTEGER PRIMARY KEY,
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    removed_at  INTEGER NOT NULL CHECK (removed_at >= 0)
) STRICT;

CREATE TRIGGER devices_are_not_removed BEFORE INSERT ON devices
WHEN EXISTS (SELECT 1 FROM tombstones WHERE fingerprint = NEW.fingerprint)
BEGIN SELECT RAISE(ABORT, 'a removed device is paired only once its tombstone is lifted'); END;

CREATE TRIGGER removed_devices_are_gone BEFORE INSERT ON tombstones
WHEN EXISTS (SELECT 1 FROM devices WHERE fingerprint = NEW.fingerprint)
BEGIN SELECT RAISE(ABORT, 'a paired device has no tombstone'); END;

-- Burned PINs.
CREATE TABLE counters (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    in_a_row        INTEGER NOT NULL CHECK (in_a_row >= 0),
    cool_down_until INTEGER          CHECK (cool_down_until >= 0)
) STRICT;
INSERT INTO counters VALUES (1, 0, NULL);

CREATE TABLE burns (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL CHECK (at >= 0)
) STRICT;

-- Every trust event, for good.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL CHECK (at >= 0),
    kind        TEXT    NOT NULL,
    count       INTEGER          CHECK (count >= 0),
    fingerprint BLOB             CHECK (length(fingerprint) = 32),
    address     TEXT,
    name        TEXT
) STRICT;
CREATE INDEX audit_by_kind ON audit (kind, id);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_only_appended BEFORE INSERT ON audit
WHEN NEW.id <= (SELECT max(id) FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- The newest of what strangers can cause without end: a ring for each kind, so that they can neither fill the disk
-- nor push out anything else. Numbered in one series with the audit log.
CREATE TABLE strangers (
    id          INTEGER PRIMARY KEY,
    slot        INTEGER NOT NULL,
    at          INTEGER NOT NULL CHECK (at >= 0),
    kind        TEXT    NOT NULL,
    count       INTEGER          CHECK (count >= 0),
    fingerprint BLOB             CHECK (length(fingerprint) = 32),
    address     TEXT,
    name        TEXT,
    UNIQUE (kind, slot)
) STRICT;
CREATE INDEX strangers_by_kind ON strangers (kind, id);
