-- Schema 1 of parkgate.db. Released: never edited again; a change is the next file and the next user_version.
-- Instants are milliseconds UTC. Digests are 32 bytes. Blobs that start with a codec byte end with a CRC-32.

-- Counters that must survive compaction.
CREATE TABLE meta (
    name  TEXT    PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every configuration that ever ran, so that an old figure can be explained.
CREATE TABLE configurations (
    id     INTEGER PRIMARY KEY,
    digest BLOB    NOT NULL UNIQUE,
    text   TEXT    NOT NULL
) STRICT;

-- One row for each meaning a tag has had: a change of unit, kind or states is the next version.
CREATE TABLE tags (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    spec    TEXT    NOT NULL,
    UNIQUE (name, version)
) STRICT;

-- The newest commits; compaction moves the older ones into spans.
CREATE TABLE commits (
    seq           INTEGER PRIMARY KEY,
    now           INTEGER NOT NULL,
    config        INTEGER NOT NULL REFERENCES configurations (id),
    samples_total INTEGER NOT NULL -- of all commits up to and including this one
) STRICT;

-- Samples as they came: one row-block for each batch.
CREATE TABLE staging (
    id          INTEGER PRIMARY KEY, -- commit seq × 65,536 + position within the commit
    source      INTEGER NOT NULL,
    delivery    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    samples     INTEGER NOT NULL,
    block       BLOB    NOT NULL
) STRICT;

-- Compacted commits and the frame of their batches, consecutive.
CREATE TABLE spans (
    first_seq INTEGER PRIMARY KEY,
    last_seq  INTEGER NOT NULL,
    frame     BLOB    NOT NULL
) STRICT;

-- Compacted samples of one tag, in commit order. Not WITHOUT ROWID: blobs of some kB would waste half of each page there.
CREATE TABLE chunks (
    id        INTEGER PRIMARY KEY,
    tag       INTEGER NOT NULL REFERENCES tags (id),
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    first_at  INTEGER NOT NULL, -- smallest measured_at
    last_at   INTEGER NOT NULL, -- largest measured_at
    samples   INTEGER NOT NULL,
    columns   BLOB    NOT NULL
) STRICT;
CREATE INDEX chunks_by_seq ON chunks (last_seq, first_seq);
CREATE INDEX chunks_by_tag ON chunks (tag, last_seq);

-- Facts of one asset and UTC minute, corrections included.
CREATE TABLE facts (
    asset  TEXT    NOT NULL,
    minute INTEGER NOT NULL,
    facts  BLOB    NOT NULL,
    PRIMARY KEY (asset, minute)
) STRICT, WITHOUT ROWID;

-- The record log: complete, monotonic, never rewritten.
CREATE TABLE records (
    log_seq       INTEGER PRIMARY KEY,
    site          TEXT    NOT NULL,
    asset         TEXT    NOT NULL,
    grain         INTEGER NOT NULL,
    start         INTEGER NOT NULL,
    "end"         INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    inputs_digest BLOB    NOT NULL,
    body          TEXT    NOT NULL, -- JSON
    UNIQUE (asset, grain, start, revision, site)
) STRICT;
CREATE INDEX records_by_inputs ON records (inputs_digest);

-- Signed pages, byte for byte as they were signed and are sent.
CREATE TABLE pages (
    id         INTEGER PRIMARY KEY,
    stream     TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    gateway    TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    prev       BLOB    NOT NULL,
    policy     BLOB    NOT NULL,
    jws        TEXT    NOT NULL,
    bytes      BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (stream, epoch, seq)
) STRICT;

-- The newest page of each stream.
CREATE TABLE streams (
    stream TEXT    PRIMARY KEY NOT NULL,
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    hash   BLOB    NOT NULL,
    policy BLOB    NOT NULL,
    pages  INTEGER NOT NULL -- of every epoch
) STRICT, WITHOUT ROWID;

-- How far each sink has come.
CREATE TABLE cursors (
    sink     TEXT    PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a destination refused, with its reason.
CREATE TABLE undeliverable (
    sink     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    what     TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (sink, position, what)
) STRICT, WITHOUT ROWID;

-- The engine's state after one commit.
CREATE TABLE checkpoint (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    commit_seq INTEGER NOT NULL,
    state      BLOB    NOT NULL
) STRICT;
