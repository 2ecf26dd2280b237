-- Rows have numbers of their own and keys an index besides, so that a flipped bit in either is seen by the
-- integrity check: it compares the two.

CREATE TABLE meta (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    trust_changes    INTEGER NOT NULL,
    trust_changed_at INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0);

-- Every host that answered, one row for each key. A row that was ever pinned stays for good.
CREATE TABLE hosts (
    id           INTEGER PRIMARY KEY,
    fingerprint  BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    label        TEXT    NOT NULL,
    pinned_by    TEXT             CHECK (pinned_by IN ('pin', 'approval', 'approval-not-compared', 'first-use')),
    pinned_at    INTEGER          CHECK (pinned_at >= 0),
    forgotten_at INTEGER          CHECK (forgotten_at >= 0),
    asked_at     INTEGER          CHECK (asked_at >= 0),
    required_at  INTEGER          CHECK (required_at >= 0),
    last_used    INTEGER          CHECK (last_used >= 0),
    CHECK ((pinned_by IS NULL) = (pinned_at IS NULL)),
    CHECK (forgotten_at IS NULL OR pinned_at IS NOT NULL),
    CHECK (coalesce(pinned_at, asked_at, required_at) IS NOT NULL)
) STRICT;

CREATE TRIGGER once_pinned_hosts_stay BEFORE DELETE ON hosts WHEN OLD.pinned_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a host that was once pinned leaves a mark'); END;

CREATE TRIGGER once_pinned_hosts_stay_so BEFORE UPDATE ON hosts WHEN OLD.pinned_at IS NOT NULL
AND (NEW.pinned_at IS NULL OR NEW.fingerprint <> OLD.fingerprint)
BEGIN SELECT RAISE(ABORT, 'a host that was once pinned leaves a mark'); END;

-- What a host was called when its key was proved: by advert ('id') or by host name ('name').
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    host INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    kind TEXT    NOT NULL CHECK (kind IN ('id', 'name')),
    text TEXT    NOT NULL,
    UNIQUE (host, kind, text)
) STRICT;

-- Where a host proved its key.
CREATE TABLE addresses (
    id      INTEGER PRIMARY KEY,
    host    INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    address TEXT    NOT NULL,
    seen_at INTEGER NOT NULL CHECK (seen_at >= 0),
    UNIQUE (host, address)
) STRICT;

-- Keyed tags of PINs that were offered to some host within the last day.
CREATE TABLE spent_pins (
    id  INTEGER PRIMARY KEY,
    tag BLOB    NOT NULL UNIQUE CHECK (length(tag) = 32),
    at  INTEGER NOT NULL
) STRICT;
