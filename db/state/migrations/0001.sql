-- Times are milliseconds since 1970 UTC; lists are JSON arrays.

CREATE TABLE publication (
  id           TEXT PRIMARY KEY,
  resource     TEXT NOT NULL,
  package      TEXT NOT NULL,
  etag         TEXT NOT NULL UNIQUE,
  content_type TEXT NOT NULL,
  body         BLOB NOT NULL,
  stamped      INTEGER NOT NULL,
  expires      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE subscription (
  half          TEXT NOT NULL CHECK (half IN ('notifier', 'subscriber')),
  id            TEXT NOT NULL,
  package       TEXT NOT NULL,
  event_id      TEXT NOT NULL,
  resource      TEXT NOT NULL,
  view          TEXT NOT NULL,
  watcher       TEXT NOT NULL,
  peer          TEXT NOT NULL,
  call_id       TEXT NOT NULL,
  local_tag     TEXT NOT NULL,
  remote_tag    TEXT NOT NULL,
  local_address  TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  contact       TEXT NOT NULL,
  target        TEXT NOT NULL,
  routes        TEXT NOT NULL,
  headers       TEXT NOT NULL,
  content_type  TEXT NOT NULL,
  state         TEXT NOT NULL,
  cseq_reserved INTEGER NOT NULL,
  remote_cseq   INTEGER NOT NULL,
  expires       INTEGER NOT NULL,
  extra         BLOB NOT NULL,
  PRIMARY KEY (half, id)
) WITHOUT ROWID;

CREATE TABLE binding (
  aor      TEXT NOT NULL,
  contact  TEXT NOT NULL,
  address  TEXT NOT NULL,
  call_id  TEXT NOT NULL,
  cseq     INTEGER NOT NULL,
  path     TEXT NOT NULL,
  source   TEXT NOT NULL,
  agent    TEXT NOT NULL,
  updated  INTEGER NOT NULL,
  expires  INTEGER NOT NULL,
  PRIMARY KEY (aor, contact)
) WITHOUT ROWID;
