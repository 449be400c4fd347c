-- The checksum of the journal up to the entry, 32 bytes; NULL in what was written before there were any.
ALTER TABLE entries ADD COLUMN chain BLOB;
