-- The ids of operations count within their environment.
ALTER TABLE operations RENAME TO operations_before;
DROP INDEX operations_by_environment;
CREATE TABLE operations (
    environment TEXT NOT NULL,
    id          TEXT NOT NULL,
    started     INTEGER NOT NULL, -- microseconds since 1970
    requested_by TEXT GENERATED ALWAYS AS (data ->> '$.requested_by') VIRTUAL,
    data        TEXT NOT NULL,
    PRIMARY KEY (environment, id)
) STRICT;
INSERT INTO operations (environment, id, started, data) SELECT environment, id, started, data FROM operations_before;
DROP TABLE operations_before;
CREATE INDEX operations_by_environment ON operations (environment, started, id);
CREATE INDEX operations_by_asker ON operations (requested_by, environment, id);

-- Edges of kind depends_on are in the table edges, now to be walked in both directions; of kind consumes in a table of their
-- own, since they lead elsewhere; of kind created_by in the column created_by; of kind member_of in the column environment.
CREATE INDEX edges_back ON edges (environment, target);

CREATE TABLE consumes (
    environment        TEXT NOT NULL,
    source             TEXT NOT NULL,
    target_environment TEXT NOT NULL,
    target             TEXT NOT NULL, -- empty: the environment as a whole
    output             TEXT NOT NULL,
    PRIMARY KEY (environment, source, target_environment, target, output)
) STRICT, WITHOUT ROWID;
CREATE INDEX consumes_back ON consumes (target_environment, target);

-- words is what of the outputs can be searched for.
ALTER TABLE resources ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE resources ADD COLUMN words TEXT NOT NULL DEFAULT '';
CREATE INDEX resources_by_operation ON resources (environment, created_by);

CREATE VIRTUAL TABLE resource_search USING fts5 (
    name, description, outputs,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
INSERT INTO resource_search (rowid, name, description, outputs) SELECT id, address, data ->> '$.description', '' FROM resources;
CREATE TRIGGER resources_found AFTER INSERT ON resources BEGIN
    INSERT INTO resource_search (rowid, name, description, outputs)
        VALUES (new.id, new.address, new.data ->> '$.description', new.words);
END;
CREATE TRIGGER resources_found_anew AFTER UPDATE OF words ON resources BEGIN
    DELETE FROM resource_search WHERE rowid = old.id;
    INSERT INTO resource_search (rowid, name, description, outputs)
        VALUES (new.id, new.address, new.data ->> '$.description', new.words);
END;
CREATE TRIGGER resources_lost AFTER DELETE ON resources BEGIN
    DELETE FROM resource_search WHERE rowid = old.id;
END;

DROP TABLE environment_search;
CREATE VIRTUAL TABLE environment_search USING fts5 (
    name, description, tags, outputs,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
INSERT INTO environment_search (rowid, name, description, tags, outputs)
    SELECT id, name, data ->> '$.description', (SELECT group_concat(value, ' ') FROM json_each(data, '$.tags')), ''
    FROM environments;

DROP TABLE environment_templates;
CREATE TABLE environment_templates (
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    environment INTEGER NOT NULL,
    hash        TEXT NOT NULL,
    revision    TEXT NOT NULL, -- commit of the catalogue
    PRIMARY KEY (name, version, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX environment_templates_back ON environment_templates (environment);
CREATE INDEX environment_templates_by_revision ON environment_templates (revision);
INSERT OR IGNORE INTO environment_templates
    SELECT t.value ->> '$.name', t.value ->> '$.version', e.id, coalesce(t.value ->> '$.hash', ''), coalesce(t.value ->> '$.commit', '')
    FROM environments e, json_each(e.data, '$.templates') t;
