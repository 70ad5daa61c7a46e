-- The clock that the times in here are by, and how it stood to the machine's when
-- something was last written: ahead of the uptime since that boot, ahead of the
-- time shown; nanoseconds. It goes on as it went when the machine's is set.

CREATE TABLE clock (
  boot  TEXT NOT NULL,
  up    INTEGER NOT NULL,
  shown INTEGER NOT NULL
);
INSERT INTO clock VALUES ('', 0, 0);
