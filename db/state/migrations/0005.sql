-- When a subscription was asked for, and what brought it to its state (RFC 3857
-- section 4.7.1).

ALTER TABLE subscription ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN cause TEXT NOT NULL DEFAULT '';

-- Who has asked to watch whom and has had no decision yet, whether her
-- subscription lives or not.

CREATE TABLE asking (
  presentity TEXT NOT NULL,
  watcher    TEXT NOT NULL,
  id         TEXT NOT NULL,
  name       TEXT NOT NULL,
  since      INTEGER NOT NULL,
  until      INTEGER NOT NULL,
  PRIMARY KEY (presentity, watcher)
) WITHOUT ROWID;
