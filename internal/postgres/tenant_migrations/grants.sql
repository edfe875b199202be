-- For roles that were never granted anything here: a role that lacks only a part
-- had it taken away by somebody who meant it.
DO $do$
DECLARE
  schema oid := (SELECT oid FROM pg_namespace WHERE nspname = 'realtime');
  messages oid := (SELECT oid FROM pg_class WHERE relnamespace = schema AND relname = 'messages');
  role name;
BEGIN
  FOR role IN
    SELECT rolname FROM pg_roles
    WHERE rolname IN ('anon', 'authenticated', 'service_role', 'postgres', 'dashboard_user')
      AND NOT has_schema_privilege(oid, schema, 'USAGE')
      AND NOT has_table_privilege(oid, messages, 'SELECT, INSERT, UPDATE')
  LOOP
    IF role IN ('postgres', 'dashboard_user') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA realtime TO %I WITH GRANT OPTION', role);
      EXECUTE format('GRANT ALL ON realtime.messages TO %I', role);
    ELSE
      EXECUTE format('GRANT USAGE ON SCHEMA realtime TO %I', role);
      EXECUTE format('GRANT SELECT, INSERT, UPDATE ON realtime.messages TO %I', role);
    END IF;
  END LOOP;
END $do$;
