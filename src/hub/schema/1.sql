-- Schema 1 of hub.db. Frozen: a later change is a further file, never an edit of this one.
-- Instants are milliseconds UTC, digests are 32 bytes, grains are the stable codes of model::time::Grain.

-- Every gateway that ever delivered an authentic page, with the key it is held to: x of its JWK, and the thumbprint.
CREATE TABLE gateway (
  gateway    TEXT PRIMARY KEY,
  key        TEXT NOT NULL,
  kid        TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL
) STRICT;

-- One chain of pages. head_seq and head_hash are the last page held, policy is the JSON of the last share policy; fork
-- tells what contradicted the chain.
CREATE TABLE stream (
  gateway   TEXT NOT NULL,
  stream    TEXT NOT NULL,
  epoch     INTEGER NOT NULL,
  head_seq  INTEGER NOT NULL,
  head_hash BLOB NOT NULL CHECK (length(head_hash) = 32),
  policy    TEXT,
  fork      TEXT,
  forked_at INTEGER,
  PRIMARY KEY (gateway, stream, epoch)
) STRICT, WITHOUT ROWID;

-- Each page as it came, and the receipt as it was first given.
CREATE TABLE page (
  gateway     TEXT NOT NULL,
  stream      TEXT NOT NULL,
  epoch       INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  hash        BLOB NOT NULL CHECK (length(hash) = 32),
  prev        BLOB NOT NULL CHECK (length(prev) = 32),
  jws         TEXT NOT NULL,
  bytes       BLOB NOT NULL,
  receipt     BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  UNIQUE (gateway, stream, epoch, seq)
) STRICT;

CREATE INDEX page_by_hash ON page (gateway, stream, hash);

-- One row per site, asset, window and revision: never one per KPI. A reader takes the newest revision.
-- facts is the compact form of model::fact::Facts, kpis the JSON of the box's KPI values; assumed is 1 where the box had
-- no calendar.
CREATE TABLE fact (
  site          TEXT NOT NULL,
  asset         TEXT NOT NULL,
  grain         INTEGER NOT NULL,
  start         INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  end           INTEGER NOT NULL,
  level         TEXT NOT NULL,
  product_unit  TEXT NOT NULL,
  facts         BLOB NOT NULL,
  kpis          TEXT NOT NULL,
  assumed       INTEGER NOT NULL,
  config        BLOB NOT NULL CHECK (length(config) = 32),
  clock         TEXT NOT NULL,
  inputs_digest BLOB NOT NULL CHECK (length(inputs_digest) = 32),
  gateway       TEXT NOT NULL,
  stream        TEXT NOT NULL,
  epoch         INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  UNIQUE (site, asset, grain, start, revision)
) STRICT;

CREATE INDEX fact_by_level ON fact (site, level, grain, start);

-- Records of authentic pages that can't count, by their position in the page.
CREATE TABLE rejected (
  gateway  TEXT NOT NULL,
  stream   TEXT NOT NULL,
  epoch    INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  position INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  PRIMARY KEY (gateway, stream, epoch, seq, position)
) STRICT, WITHOUT ROWID;
