CREATE SCHEMA IF NOT EXISTS counter;

CREATE TABLE counter.history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  value bigint NOT NULL,
  who text NOT NULL DEFAULT coalesce(auth.uid()::text, 'somebody'),
  at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE counter.history ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA counter TO anon, authenticated;
GRANT SELECT, INSERT ON counter.history TO anon, authenticated;
CREATE POLICY everybody ON counter.history TO anon, authenticated USING (true) WITH CHECK (true);
