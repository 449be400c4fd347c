-- What environments are sorted by (times in microseconds since 1970) and filtered by, beside their documents. What was written before has
-- milliseconds, until it is written again.
ALTER TABLE environments ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE environments ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE environments ADD COLUMN health TEXT NOT NULL DEFAULT '';
ALTER TABLE environments ADD COLUMN drifted INTEGER NOT NULL DEFAULT 0;
UPDATE environments SET
    created = coalesce(CAST(unixepoch(data ->> '$.created_at', 'subsec') * 1000 AS INTEGER) * 1000, 0),
    updated = coalesce(CAST(unixepoch(data ->> '$.updated_at', 'subsec') * 1000 AS INTEGER) * 1000, 0),
    health = coalesce(data ->> '$.health.status', ''),
    drifted = coalesce(data ->> '$.drifted', 0);
CREATE INDEX environments_by_created ON environments (created, name);
CREATE INDEX environments_by_updated ON environments (updated, name);
