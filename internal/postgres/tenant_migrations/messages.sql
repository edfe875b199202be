-- The columns in this order: users' SQL inserts by name, but binary readers of
-- the stream have met no other. The times are UTC in a session of any time zone;
-- partitions are by UTC days.
CREATE TABLE realtime.messages (
  topic          text NOT NULL,
  extension      text NOT NULL,
  payload        jsonb,
  event          text,
  private        boolean DEFAULT false,
  updated_at     timestamp NOT NULL DEFAULT timezone('utc', now()),
  inserted_at    timestamp NOT NULL DEFAULT timezone('utc', now()),
  id             uuid NOT NULL DEFAULT gen_random_uuid(),
  binary_payload bytea,
  CONSTRAINT messages_pkey PRIMARY KEY (id, inserted_at),
  CONSTRAINT messages_payload_exclusive CHECK (payload IS NULL OR binary_payload IS NULL)
) PARTITION BY RANGE (inserted_at);

ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;

CREATE INDEX messages_inserted_at_topic_index ON realtime.messages (inserted_at DESC, topic)
  WHERE extension = 'broadcast' AND private IS TRUE;
