CREATE TABLE notes (
    id      bigint PRIMARY KEY,
    title   text NOT NULL,
    body    text NOT NULL DEFAULT '',
    created timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notes_created ON notes (created);
