-- What was set aside of journals, for good: data says what it is (store.Aside); the entries are as they were, and so are the states.
CREATE TABLE asides (
    id   TEXT PRIMARY KEY,
    time INTEGER NOT NULL, -- nanoseconds since 1970
    data TEXT NOT NULL
) STRICT;
CREATE TABLE aside_entries (
    aside       TEXT NOT NULL,
    id          INTEGER NOT NULL, -- as in entries
    environment TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    type        TEXT NOT NULL,
    time        INTEGER,
    epoch       INTEGER NOT NULL,
    operation   TEXT NOT NULL,
    causation   TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    data        TEXT NOT NULL,
    chain       BLOB,
    PRIMARY KEY (aside, id)
) STRICT;
CREATE TABLE aside_states (
    aside       TEXT NOT NULL,
    environment TEXT NOT NULL,
    step        TEXT NOT NULL,
    hash        TEXT NOT NULL,
    data        BLOB NOT NULL,
    PRIMARY KEY (aside, environment, step)
) STRICT;
