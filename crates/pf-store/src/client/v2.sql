-- What the person here calls a host. The label stays what it called itself when it was first known.
ALTER TABLE hosts ADD COLUMN given_label TEXT;

-- What a pinned host told of its network interfaces once it had let us in: by which it may be woken.
CREATE TABLE hardware_addresses (
    id      INTEGER PRIMARY KEY,
    host    INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    address BLOB    NOT NULL CHECK (length(address) = 6),
    UNIQUE (host, address)
) STRICT;
