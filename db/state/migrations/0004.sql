-- A publication is found by its entity-tag in memory. In the table the tags' order
-- cost every PUBLISH two more pages to write.

CREATE TABLE publication_next (
  id           TEXT PRIMARY KEY,
  resource     TEXT NOT NULL,
  package      TEXT NOT NULL,
  etag         TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body         BLOB NOT NULL,
  stamped      INTEGER NOT NULL,
  expires      INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO publication_next SELECT id, resource, package, etag, content_type, body, stamped, expires FROM publication;
DROP TABLE publication;
ALTER TABLE publication_next RENAME TO publication;
