-- When the last line of a step was written, in seconds since 1970: what is older than the retention goes.
ALTER TABLE log_steps ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
UPDATE log_steps SET written = unixepoch();
CREATE INDEX log_steps_by_written ON log_steps (written);
