-- Rows have numbers of their own and keys an index besides, so that a flipped bit in either is seen by the
-- integrity check: it compares the two.

CREATE TABLE meta (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    trust_changes    INTEGER NOT NULL,
    trust_changed_at INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0);

-- The hash of the password, once there is one.
CREATE TABLE password (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    phc    TEXT    NOT NULL UNIQUE CHECK (length(CAST(phc AS BLOB)) BETWEEN 1 AND 256),
    set_at INTEGER NOT NULL CHECK (set_at >= 0)
) STRICT;

-- The sign-ins that are open. A number is never used again: whoever ends one by number ends no other.
CREATE TABLE sign_ins (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    browser      TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    signed_in_by TEXT    NOT NULL CHECK (signed_in_by IN ('password', 'link')),
    signed_in_at INTEGER NOT NULL CHECK (signed_in_at >= 0),
    last_used_at INTEGER NOT NULL CHECK (last_used_at >= 0),
    proved_at    INTEGER NOT NULL CHECK (proved_at >= 0)
) STRICT;
