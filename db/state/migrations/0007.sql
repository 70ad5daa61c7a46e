-- Whether one who asks does not want to be named (RFC 3323).

ALTER TABLE asking ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;
