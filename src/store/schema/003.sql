-- Schema 3 of parkgate.db: what people and systems say.

-- Context by MQTT, API or file, declarations, and who approved or took back which. Who said it stays here.
CREATE TABLE statements (
    id       INTEGER PRIMARY KEY,  -- ascending in the order in which they are heard
    kind     TEXT    NOT NULL,     -- context, declared, approved, withdrawn
    of       INTEGER REFERENCES statements (id), -- the declaration that is approved or withdrawn
    replaces INTEGER REFERENCES statements (id), -- the declaration in whose place this one stands once approved
    identity TEXT    UNIQUE,       -- what makes saying it again the same statement; null where it may be said again
    said     TEXT    NOT NULL,     -- JSON
    person   TEXT,                 -- who said it; null where a machine did
    told_at  INTEGER NOT NULL,
    taken_by INTEGER,              -- the commit that took it into the figures; null while it waits
    batch    INTEGER               -- the batch of that commit that brought it; null where it waited here
) STRICT;
CREATE INDEX statements_waiting ON statements (id) WHERE taken_by IS NULL;
CREATE INDEX statements_by_commit ON statements (taken_by, id);
CREATE INDEX statements_of ON statements (of) WHERE of IS NOT NULL;
CREATE INDEX statements_replacing ON statements (replaces) WHERE replaces IS NOT NULL;
