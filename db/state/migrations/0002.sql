-- What a server makes once and must know again after a restart.

CREATE TABLE secret (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
