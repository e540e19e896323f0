-- Schema 2 of parkgate.db: thinned history, meters that were swapped, and the state of the clock.

-- How many samples of the tag compaction left out between the first and the last commit of a chunk.
ALTER TABLE chunks ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;

-- What a person said about a meter that was replaced by another one.
CREATE TABLE swaps (
    id          INTEGER PRIMARY KEY,
    tag         TEXT    NOT NULL,
    at          INTEGER NOT NULL, -- when the old meter stopped and the new one started
    old_final   TEXT    NOT NULL, -- last reading of the old meter, decimal, in the tag's unit
    new_initial TEXT    NOT NULL, -- first reading of the new meter, decimal, in the tag's unit
    serial      TEXT,
    ratio       REAL,
    reason      TEXT    NOT NULL,
    person      TEXT    NOT NULL,
    told_at     INTEGER NOT NULL,
    taken_by    INTEGER,          -- the commit that took it into the figures; null while it waits
    outcome     TEXT,             -- what became of it; null until that is known
    UNIQUE (tag, at)
) STRICT;

-- From which commit on the clock was in which state; one row a change.
CREATE TABLE clock_states (
    from_seq INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL, -- plant time of that commit
    state    INTEGER NOT NULL
) STRICT;
-- Of what was measured before, nobody knows it.
INSERT INTO clock_states (from_seq, at, state)
SELECT 0, 0, 2 WHERE EXISTS (SELECT 1 FROM commits) OR EXISTS (SELECT 1 FROM spans);
