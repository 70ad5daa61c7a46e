-- A row of the table stands on one page, body and all; ordered by its id as a whole it
-- spilled onto a second one, which every PUBLISH gave back and took anew.

CREATE TABLE publication_next (
  id           TEXT PRIMARY KEY NOT NULL,
  resource     TEXT NOT NULL,
  package      TEXT NOT NULL,
  etag         TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body         BLOB NOT NULL,
  stamped      INTEGER NOT NULL,
  expires      INTEGER NOT NULL
);
INSERT INTO publication_next SELECT id, resource, package, etag, content_type, body, stamped, expires FROM publication ORDER BY id;
DROP TABLE publication;
ALTER TABLE publication_next RENAME TO publication;
