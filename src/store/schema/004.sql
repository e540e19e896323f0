-- Schema 4 of parkgate.db: what left the box and how it was answered.

-- Every exchange of a sink with its destination, failed ones too.
CREATE TABLE exchanges (
    id          INTEGER PRIMARY KEY, -- ascending in the order in which they ended
    sink        TEXT    NOT NULL,
    at          INTEGER NOT NULL,    -- when sending began, plant time
    destination TEXT    NOT NULL,    -- host and port; never a path, a user or a secret
    what        TEXT    NOT NULL,    -- pages, records, samples, file
    first       INTEGER NOT NULL,    -- first position that was sent: a page number, a log number, a commit
    last        INTEGER NOT NULL,    -- last position that was sent
    name        TEXT,                -- of a file; null for the rest
    epoch       INTEGER,             -- of pages; null for the rest
    bytes       INTEGER NOT NULL,    -- of the content before compression
    hash        BLOB    NOT NULL,    -- SHA-256 of the content before compression
    outcome     INTEGER NOT NULL,    -- 1 acknowledged, 2 refused, 3 failed
    answer      TEXT    NOT NULL     -- the destination's words, or what became of the connection
) STRICT;
CREATE INDEX exchanges_by_sink ON exchanges (sink, id);
