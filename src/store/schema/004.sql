-- Schema 4 of parkgate.db: what left the box and how it was answered.

-- When a record was written, plant time; null of those from before.
ALTER TABLE records ADD COLUMN committed_at INTEGER;

-- Every exchange of a sink with its destination, failed ones too.
CREATE TABLE exchanges (
    id          INTEGER PRIMARY KEY, -- ascending in the order in which they ended
    sink        TEXT    NOT NULL,
    at          INTEGER NOT NULL,    -- when sending began, plant time
    destination TEXT    NOT NULL,    -- host and port; never a path, a user or a secret
    what        TEXT    NOT NULL,    -- pages, records, samples, status, file
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

-- What was removed to keep within age and cap: one row a UTC day, kind and reason.
CREATE TABLE removals (
    day     INTEGER NOT NULL, -- days since 1970
    what    TEXT    NOT NULL, -- samples, facts, exchanges, records
    why     TEXT    NOT NULL, -- age, cap
    from_at INTEGER NOT NULL, -- oldest instant of what was removed
    to_at   INTEGER NOT NULL, -- newest instant of what was removed
    rows    INTEGER NOT NULL, -- samples, minutes of an asset, exchanges, records
    bytes   INTEGER NOT NULL, -- of their content, as stored
    at      INTEGER NOT NULL, -- when the last of them was removed
    PRIMARY KEY (day, what, why)
) STRICT, WITHOUT ROWID;

-- What retention looks for among many exchanges.
CREATE INDEX exchanges_by_at ON exchanges (at);

-- When this database was made from what could be read of a damaged one.
CREATE TABLE recoveries (
    at          INTEGER PRIMARY KEY,
    quarantine  TEXT    NOT NULL, -- name of the damaged file, beside this one
    needs_epoch INTEGER NOT NULL, -- 1: pages, records or commits may be gone, so each stream begins a new epoch
    report      TEXT    NOT NULL, -- JSON: by table, what was recovered and what is gone
    epochs      TEXT    NOT NULL  -- JSON: by stream, the epoch it was in
) STRICT;

-- What the exchanges of sinks with a data budget cost, by civil day of the site.
CREATE TABLE spent (
    sink  TEXT    NOT NULL,
    day   TEXT    NOT NULL, -- like 2026-10-05
    bytes INTEGER NOT NULL, -- of requests and answers, without TLS and TCP
    PRIMARY KEY (sink, day)
) STRICT, WITHOUT ROWID;

-- What a page is for: 0 records, 1 policy, 2 key. Canonical JSON says it in these bytes and nowhere else.
ALTER TABLE pages ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
UPDATE pages SET kind = 1 WHERE instr(bytes, CAST('"kind":"policy"' AS BLOB)) > 0;
CREATE INDEX pages_stating ON pages (stream, id) WHERE kind > 0;

-- How many declarations were entered lately: their number is limited.
CREATE INDEX statements_declared ON statements (told_at) WHERE kind = 'declared';

-- What the configuration asked for beyond what a stream's last policy page lets out, and the factory's word on it.
CREATE TABLE shares (
    id           INTEGER PRIMARY KEY,
    stream       TEXT    NOT NULL,
    share        TEXT    NOT NULL, -- JSON: the policy, and the facts that each KPI reveals
    asked_at     INTEGER NOT NULL,
    withdrawn_at INTEGER,          -- when the configuration no longer asked for it; null while it does
    person       TEXT,             -- who confirmed it for the factory; null while it waits
    confirmed_at INTEGER,
    taken_by     INTEGER           -- the commit that cut its policy page; null before
) STRICT;
CREATE INDEX shares_open ON shares (id) WHERE taken_by IS NULL;
