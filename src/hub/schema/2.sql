-- Schema 2 of hub.db: what gateways say of themselves. Frozen: a later change is a further file, never an edit of this one.

-- The latest status of each gateway as it came.
CREATE TABLE status (
  gateway     TEXT PRIMARY KEY,
  at          INTEGER NOT NULL, -- when the gateway said it
  received_at INTEGER NOT NULL,
  jws         TEXT NOT NULL,
  bytes       BLOB NOT NULL
) STRICT;
