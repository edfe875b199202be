-- A table of a reference that knew no binary messages yet. Rows that are there
-- are not looked at.
ALTER TABLE realtime.messages
  ADD COLUMN binary_payload bytea,
  ADD CONSTRAINT messages_payload_exclusive CHECK (payload IS NULL OR binary_payload IS NULL) NOT VALID;
