-- The tables of music classrooms. The server writes all but reflections as the owner;
-- members see, under their own roles, what is theirs, and teachers what is of their
-- rooms. Whatever is here may be there already.

CREATE SCHEMA IF NOT EXISTS music;

CREATE TABLE IF NOT EXISTS music.rooms (
  name text PRIMARY KEY, -- what follows the prefix in the topic
  teachers text[] NOT NULL DEFAULT '{}', -- claims "sub" of those who teach here
  settings jsonb NOT NULL DEFAULT '{}', -- bpm and meter that the room begins with
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS music.sessions (
  id uuid PRIMARY KEY,
  room text NOT NULL REFERENCES music.rooms ON DELETE CASCADE,
  topic text NOT NULL,
  started_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL, -- when the server last said that it goes on
  ended_at timestamptz,
  tempo_map jsonb NOT NULL -- the state at the beginning, and all changes since
);
CREATE INDEX IF NOT EXISTS sessions_room ON music.sessions (room, started_at);

CREATE TABLE IF NOT EXISTS music.attendance (
  id uuid PRIMARY KEY,
  session uuid NOT NULL REFERENCES music.sessions ON DELETE CASCADE,
  room text NOT NULL,
  student_id text NOT NULL,
  name text,
  role text NOT NULL,
  joined_at timestamptz NOT NULL,
  left_at timestamptz
);
CREATE INDEX IF NOT EXISTS attendance_session ON music.attendance (session);
CREATE INDEX IF NOT EXISTS attendance_student ON music.attendance (student_id, room);

CREATE TABLE IF NOT EXISTS music.takes (
  id text PRIMARY KEY,
  session uuid NOT NULL REFERENCES music.sessions ON DELETE CASCADE,
  room text NOT NULL,
  grading jsonb NOT NULL,
  begin_beat numeric NOT NULL,
  end_beat numeric,
  started_by text NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  state jsonb -- the room's time while it ran: what scores are computed from
);
CREATE INDEX IF NOT EXISTS takes_session ON music.takes (session);

CREATE TABLE IF NOT EXISTS music.onsets (
  take text NOT NULL REFERENCES music.takes ON DELETE CASCADE,
  student_id text NOT NULL,
  seq bigint NOT NULL,
  room text NOT NULL,
  onsets jsonb NOT NULL, -- [[ms, midi, velocity], ...]
  PRIMARY KEY (take, student_id, seq)
);

CREATE TABLE IF NOT EXISTS music.scores (
  take text NOT NULL REFERENCES music.takes ON DELETE CASCADE,
  student_id text NOT NULL,
  room text NOT NULL,
  score jsonb NOT NULL,
  PRIMARY KEY (take, student_id)
);

-- Who asks: the claim "sub" of the member, null for guests.
CREATE OR REPLACE FUNCTION music.me() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')
$$;

CREATE TABLE IF NOT EXISTS music.reflections (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  room text NOT NULL REFERENCES music.rooms ON DELETE CASCADE,
  session uuid REFERENCES music.sessions ON DELETE SET NULL,
  student_id text NOT NULL DEFAULT music.me(),
  name text CHECK (length(name) <= 64),
  mood smallint NOT NULL CHECK (mood BETWEEN 1 AND 5),
  text text NOT NULL DEFAULT '' CHECK (length(text) <= 2000),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS reflections_room ON music.reflections (room, id);
CREATE INDEX IF NOT EXISTS reflections_student ON music.reflections (student_id);

-- These look past the policies of the tables that they read, or those would ask each
-- other without end.
CREATE OR REPLACE FUNCTION music.teaches(of_room text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT EXISTS (SELECT FROM music.rooms r WHERE r.name = of_room AND music.me() = ANY (r.teachers))
$$;

CREATE OR REPLACE FUNCTION music.attended(of_room text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT EXISTS (SELECT FROM music.attendance a WHERE a.room = of_room AND a.student_id = music.me())
$$;

ALTER TABLE music.rooms ENABLE ROW LEVEL SECURITY;
ALTER TABLE music.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE music.attendance ENABLE ROW LEVEL SECURITY;
ALTER TABLE music.takes ENABLE ROW LEVEL SECURITY;
ALTER TABLE music.onsets ENABLE ROW LEVEL SECURITY;
ALTER TABLE music.scores ENABLE ROW LEVEL SECURITY;
ALTER TABLE music.reflections ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS "members see their rooms" ON music.rooms;
CREATE POLICY "members see their rooms" ON music.rooms FOR SELECT
  USING (music.teaches(name) OR music.attended(name));

DROP POLICY IF EXISTS "members see their sessions" ON music.sessions;
CREATE POLICY "members see their sessions" ON music.sessions FOR SELECT
  USING (music.teaches(room) OR music.attended(room));

DROP POLICY IF EXISTS "own attendance, and of rooms that one teaches" ON music.attendance;
CREATE POLICY "own attendance, and of rooms that one teaches" ON music.attendance FOR SELECT
  USING (student_id = music.me() OR music.teaches(room));

DROP POLICY IF EXISTS "members see takes" ON music.takes;
CREATE POLICY "members see takes" ON music.takes FOR SELECT
  USING (music.teaches(room) OR music.attended(room));

DROP POLICY IF EXISTS "own onsets, and of rooms that one teaches" ON music.onsets;
CREATE POLICY "own onsets, and of rooms that one teaches" ON music.onsets FOR SELECT
  USING (student_id = music.me() OR music.teaches(room));

DROP POLICY IF EXISTS "own scores, and of rooms that one teaches" ON music.scores;
CREATE POLICY "own scores, and of rooms that one teaches" ON music.scores FOR SELECT
  USING (student_id = music.me() OR music.teaches(room));

DROP POLICY IF EXISTS "own reflections, and of rooms that one teaches" ON music.reflections;
CREATE POLICY "own reflections, and of rooms that one teaches" ON music.reflections FOR SELECT
  USING (student_id = music.me() OR music.teaches(room));

DROP POLICY IF EXISTS "write own reflections" ON music.reflections;
CREATE POLICY "write own reflections" ON music.reflections FOR INSERT
  WITH CHECK (student_id = music.me() AND (music.attended(room) OR music.teaches(room)));

DROP POLICY IF EXISTS "change own reflections" ON music.reflections;
CREATE POLICY "change own reflections" ON music.reflections FOR UPDATE
  USING (student_id = music.me())
  WITH CHECK (student_id = music.me() AND (music.attended(room) OR music.teaches(room)));

DROP POLICY IF EXISTS "remove own reflections" ON music.reflections;
CREATE POLICY "remove own reflections" ON music.reflections FOR DELETE
  USING (student_id = music.me());

-- Of these roles a plain PostgreSQL may have none.
DO $$
DECLARE
  member text;
BEGIN
  FOR member IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role') LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA music TO %I', member);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA music TO %I', member);
    IF member = 'authenticated' THEN
      EXECUTE format('GRANT INSERT, UPDATE, DELETE ON music.reflections TO %I', member);
    ELSIF member = 'service_role' THEN
      EXECUTE format('GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA music TO %I', member);
    END IF;
  END LOOP;
END
$$;

-- Changes of all but onsets, which come in thousands, can be subscribed to. Where we may
-- not change the publication the lessons go on without that.
DO $$
DECLARE
  one text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime' AND NOT puballtables) THEN
    RETURN;
  END IF;
  FOREACH one IN ARRAY ARRAY['rooms', 'sessions', 'attendance', 'takes', 'scores', 'reflections'] LOOP
    IF NOT EXISTS (SELECT FROM pg_publication_tables
        WHERE pubname = 'supabase_realtime' AND schemaname = 'music' AND tablename = one) THEN
      EXECUTE format('ALTER PUBLICATION supabase_realtime ADD TABLE music.%I', one);
    END IF;
  END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'music: the tables are not in the publication supabase_realtime: %', SQLERRM;
END
$$;
