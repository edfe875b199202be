-- The schema realtime as another server left it, after some of its migrations:
-- its own role owns everything, there are tables and functions that we do not
-- know, messages has a column more, and a partition is from long ago.
DO $$
BEGIN
  CREATE ROLE supabase_realtime_admin NOLOGIN NOINHERIT;
  GRANT anon, authenticated, service_role TO supabase_realtime_admin;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

CREATE SCHEMA realtime;
GRANT USAGE ON SCHEMA realtime TO anon, authenticated, service_role;
GRANT USAGE ON SCHEMA realtime TO postgres WITH GRANT OPTION;
GRANT USAGE, CREATE ON SCHEMA realtime TO supabase_realtime_admin WITH GRANT OPTION;

CREATE TABLE realtime.schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp(0));
INSERT INTO realtime.schema_migrations VALUES (20211116024918, now()), (20240523004032, now()), (20990101000000, now());

CREATE TYPE realtime.equality_op AS ENUM ('eq', 'neq');
CREATE TYPE realtime.user_defined_filter AS (column_name text, op realtime.equality_op, value text);
CREATE TABLE realtime.subscription (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id uuid NOT NULL,
  entity regclass NOT NULL,
  filters realtime.user_defined_filter[] NOT NULL DEFAULT '{}',
  claims jsonb NOT NULL
);
INSERT INTO realtime.subscription (subscription_id, entity, claims) VALUES (gen_random_uuid(), 'pg_class', '{}');

CREATE TABLE realtime.messages (
  topic text NOT NULL, extension text NOT NULL, payload jsonb, event text, private boolean DEFAULT false,
  updated_at timestamp NOT NULL DEFAULT now(), inserted_at timestamp NOT NULL DEFAULT now(),
  id uuid NOT NULL DEFAULT gen_random_uuid(), binary_payload bytea, skip boolean NOT NULL DEFAULT false,
  PRIMARY KEY (id, inserted_at)
) PARTITION BY RANGE (inserted_at);
ALTER TABLE realtime.messages ADD CONSTRAINT messages_payload_exclusive
  CHECK (payload IS NULL OR binary_payload IS NULL) NOT VALID;
ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
CREATE INDEX messages_inserted_at_topic_index ON realtime.messages (inserted_at DESC, topic)
  WHERE extension = 'broadcast' AND private IS TRUE;
GRANT SELECT, INSERT, UPDATE ON realtime.messages TO anon, authenticated, service_role;
CREATE POLICY "by topic" ON realtime.messages FOR SELECT TO authenticated USING (topic = 'room');
CREATE TABLE realtime.messages_2020_01_01 PARTITION OF realtime.messages FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
INSERT INTO realtime.messages (topic, extension, payload, event, private, inserted_at)
VALUES ('room', 'broadcast', '{"old": true}', 'e', true, '2020-01-01 12:00');

CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT current_setting('realtime.topic', true) || '' $$;
CREATE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean DEFAULT true)
  RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION realtime.to_regrole(role_name text) RETURNS regrole LANGUAGE sql AS $$ SELECT role_name::regrole $$;

ALTER TABLE realtime.subscription OWNER TO supabase_realtime_admin;
ALTER TABLE realtime.messages OWNER TO supabase_realtime_admin;
ALTER TABLE realtime.messages_2020_01_01 OWNER TO supabase_realtime_admin;
ALTER FUNCTION realtime.topic() OWNER TO supabase_realtime_admin;
ALTER FUNCTION realtime.send(jsonb, text, text, boolean) OWNER TO supabase_realtime_admin;
ALTER FUNCTION realtime.to_regrole(text) OWNER TO supabase_realtime_admin;
