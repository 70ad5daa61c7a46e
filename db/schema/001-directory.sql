-- The directory. Plain SQL that PostgreSQL reads too: no rowid, no automatic
-- keys, no dynamic types. Vocabularies are checked here as well as in the
-- program, since other programs may write this file.

CREATE TABLE revision (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    instance TEXT NOT NULL,
    rev      BIGINT NOT NULL CHECK (rev > 0)
);

CREATE TABLE domain (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    name        TEXT NOT NULL CHECK (name <> ''),
    realm       TEXT NOT NULL CHECK (realm <> ''),
    policy_mode TEXT NOT NULL CHECK (policy_mode IN ('root', 'distributed', 'provisioned', 'decision-point')),
    handling    TEXT NOT NULL CHECK (handling IN ('allow', 'block', 'polite-block', 'confirm'))
);

CREATE TABLE server (
    name      TEXT PRIMARY KEY CHECK (name <> ''),
    uri       TEXT NOT NULL CHECK (uri <> ''),
    transport TEXT NOT NULL CHECK (transport IN ('udp', 'tcp', 'tls')),
    identity  TEXT NOT NULL CHECK (identity <> '')
);

-- Further spellings that count as the server's host.
CREATE TABLE server_alias (
    server TEXT NOT NULL REFERENCES server (name) ON DELETE CASCADE,
    alias  TEXT NOT NULL CHECK (alias <> ''),
    PRIMARY KEY (server, alias)
);

CREATE TABLE account (
    aor     TEXT PRIMARY KEY CHECK (aor LIKE '_%@_%'),
    display TEXT NOT NULL,
    realm   TEXT NOT NULL
);

CREATE TABLE credential (
    aor       TEXT NOT NULL REFERENCES account (aor) ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    ha1       TEXT NOT NULL,
    PRIMARY KEY (aor, algorithm),
    CHECK (algorithm = 'MD5' AND length(ha1) = 32
        OR algorithm IN ('SHA-256', 'SHA-512-256') AND length(ha1) = 64)
);

-- A user without a row here, or without a row in placement_server, is served
-- nowhere. That a root serves the user is not demanded here: it is a finding.
CREATE TABLE placement (
    aor   TEXT PRIMARY KEY REFERENCES account (aor) ON DELETE CASCADE,
    model TEXT NOT NULL CHECK (model IN ('partitioned', 'exclusive', 'hierarchical', 'peer')),
    root  TEXT REFERENCES server (name)
);

CREATE TABLE placement_server (
    aor      TEXT NOT NULL REFERENCES placement (aor) ON DELETE CASCADE,
    server   TEXT NOT NULL REFERENCES server (name),
    position INTEGER NOT NULL,
    PRIMARY KEY (aor, server)
);
CREATE INDEX placement_server_server ON placement_server (server);

-- watcher is an address of record, a domain, or empty for the default.
CREATE TABLE rule (
    presentity TEXT NOT NULL REFERENCES account (aor) ON DELETE CASCADE,
    match      TEXT NOT NULL CHECK (match IN ('user', 'domain', 'default')),
    watcher    TEXT NOT NULL,
    handling   TEXT NOT NULL CHECK (handling IN ('allow', 'block', 'polite-block', 'confirm')),
    PRIMARY KEY (presentity, match, watcher),
    CHECK ((match = 'default') = (watcher = ''))
);

CREATE TABLE buddy (
    owner    TEXT NOT NULL REFERENCES account (aor) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    target   TEXT NOT NULL CHECK (target <> ''),
    PRIMARY KEY (owner, target)
);

-- The revision at which each thing last changed, or went.
CREATE TABLE touched (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    rev  BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX touched_rev ON touched (rev);
