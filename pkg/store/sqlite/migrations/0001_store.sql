-- Single values: the epoch in force, the next log line's id, and the key that cursors are signed with.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', 0), ('next_log', 1), ('cursor_key', randomblob(32));

CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    seq       INTEGER NOT NULL,
    relayed   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- id is partition * 2^48 + seq: one key holds both, keeps each partition's entries together and in order, and
-- makes a second entry of the same (partition, seq) impossible, whoever writes it.
CREATE TABLE entries (
    id          INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    type        TEXT NOT NULL,
    time        INTEGER,
    epoch       INTEGER NOT NULL,
    operation   TEXT NOT NULL,
    causation   TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    data        TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_environment ON entries (environment, seq);

CREATE TABLE snapshots (
    partition   INTEGER NOT NULL,
    environment TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    data        BLOB NOT NULL,
    PRIMARY KEY (partition, environment)
) STRICT;

CREATE TABLE templates (
    hash    TEXT PRIMARY KEY,
    data    TEXT NOT NULL,
    archive BLOB NOT NULL
) STRICT;

-- facets is a hash of what the three tables behind this one hold: they are written only when it changes.
CREATE TABLE environments (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    facets INTEGER NOT NULL,
    data   TEXT NOT NULL
) STRICT;
CREATE INDEX environments_by_status ON environments (status, name);

CREATE TABLE environment_tags (
    tag         TEXT NOT NULL,
    environment INTEGER NOT NULL,
    PRIMARY KEY (tag, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX environment_tags_back ON environment_tags (environment);

CREATE TABLE environment_templates (
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    environment INTEGER NOT NULL,
    PRIMARY KEY (name, version, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX environment_templates_back ON environment_templates (environment);

CREATE VIRTUAL TABLE environment_search USING fts5 (
    name, description, tags,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);

-- depends is a hash of the resource's edges: they are written only when it changes.
CREATE TABLE resources (
    id          INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    address     TEXT NOT NULL,
    depends     INTEGER NOT NULL,
    data        TEXT NOT NULL,
    UNIQUE (environment, address)
) STRICT;

-- The graph: source depends on target.
CREATE TABLE edges (
    environment TEXT NOT NULL,
    source      TEXT NOT NULL,
    target      TEXT NOT NULL,
    PRIMARY KEY (environment, source, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    id          TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    started     INTEGER NOT NULL, -- microseconds since 1970
    data        TEXT NOT NULL
) STRICT;
CREATE INDEX operations_by_environment ON operations (environment, started, id);

-- Log lines are kept in chunks of lines that arrived together. The id of a chunk is that of its first line, the
-- lines behind it count on; first is that line's number within the attempt.
CREATE TABLE log_environments (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    lines INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE log_steps (
    id          INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL,
    operation   TEXT NOT NULL,
    step        TEXT NOT NULL,
    lines       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (environment, operation, step)
) STRICT;
CREATE TABLE log_chunks (
    id          INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    lines       INTEGER NOT NULL,
    data        TEXT NOT NULL
) STRICT;
CREATE INDEX log_chunks_by_environment ON log_chunks (environment);
CREATE INDEX log_chunks_by_step ON log_chunks (step, attempt, first, lines);
