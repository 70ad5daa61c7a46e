-- When a publication's body came, in nanoseconds: of two that weigh the same the
-- newer is shown, on every server and after a restart too.

UPDATE publication SET stamped = stamped * 1000000;
