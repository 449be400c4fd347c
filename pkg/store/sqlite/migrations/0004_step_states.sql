-- What the executor of a step has to know the next time, sealed; the journal has the hash.
CREATE TABLE step_states (
    environment TEXT NOT NULL,
    step        TEXT NOT NULL,
    hash        TEXT NOT NULL,
    data        BLOB NOT NULL,
    PRIMARY KEY (environment, step)
) STRICT;
