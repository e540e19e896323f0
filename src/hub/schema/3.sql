-- Schema 3 of hub.db: keys that took over from others.

-- Each key page that was taken: x of the JWK it was signed with, and of the one that signs every later page of the stream.
CREATE TABLE hand_over (
  gateway TEXT NOT NULL,
  stream  TEXT NOT NULL,
  epoch   INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  old_key TEXT NOT NULL,
  new_key TEXT NOT NULL,
  PRIMARY KEY (gateway, stream, epoch, seq)
) STRICT, WITHOUT ROWID;
