-- Partitions for yesterday to three days on. The setting tutti.today names the
-- day, or else it is the server's; tutti.created tells how many were made.
--
-- A table is made first and attached then: PARTITION OF locks messages against
-- everybody, ATTACH only against other changes of its shape. It has row-level
-- security of its own, since default privileges may grant it to anybody.
DO $do$
DECLARE
  today   date := coalesce(nullif(current_setting('tutti.today', true), '')::date, timezone('utc', now())::date);
  parent  oid := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = 'realtime' AND c.relname = 'messages' AND c.relkind = 'p');
  owner   oid := (SELECT relowner FROM pg_class WHERE oid = parent);
  schema  oid := (SELECT relnamespace FROM pg_class WHERE oid = parent);
  assume  text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
  locked  boolean := false;
  made    int := 0;
  child   text;
  day     date;
BEGIN
  PERFORM set_config('tutti.created', '0', true);
  FOR i IN -1..3 LOOP
    day := today + i;
    LOOP
      EXIT WHEN parent IS NULL OR EXISTS (
        SELECT FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
        WHERE inhparent = parent AND pg_get_expr(c.relpartbound, c.oid)
          = format('FOR VALUES FROM (%L) TO (%L)', day::timestamp, day::timestamp + interval '1 day'));
      IF NOT locked THEN
        PERFORM pg_advisory_xact_lock(5871209934601274);
        locked := true;
        CONTINUE; -- somebody may have made it meanwhile
      END IF;
      child := to_char(day, '"messages_"YYYY"_"MM"_"DD');
      BEGIN
        EXECUTE format('CREATE TABLE realtime.%I (LIKE realtime.messages INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)', child);
        EXECUTE format('ALTER TABLE realtime.%I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('ALTER TABLE realtime.messages ATTACH PARTITION realtime.%I FOR VALUES FROM (%L) TO (%L)',
          child, day::timestamp, day::timestamp + interval '1 day');
        IF owner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
          AND pg_has_role(owner, assume) AND has_schema_privilege(owner, schema, 'CREATE') THEN
          EXECUTE format('ALTER TABLE realtime.%I OWNER TO %I', child, pg_get_userbyid(owner));
        END IF;
        made := made + 1;
      EXCEPTION WHEN invalid_object_definition OR check_violation THEN
        NULL; -- a partition of another shape, or one for the rest, has the day
      END;
      EXIT;
    END LOOP;
  END LOOP;
  PERFORM set_config('tutti.created', made::text, true);
END $do$;
