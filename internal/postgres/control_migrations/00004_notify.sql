-- Writers that are not Tutti (psql, the reference) tell of their changes too.
-- The function must never fail, or it fails the write of somebody who does not
-- know of it. The triggers name no column and no condition, because PostgreSQL
-- refuses to change the type of a column that a trigger names, and a later
-- version of the reference may want to.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION tutti_tell_tenants() RETURNS trigger
LANGUAGE plpgsql SET search_path TO pg_catalog AS $$
DECLARE
  -- jsonb, so that one function knows the column of either table.
  before jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) END;
  after  jsonb := CASE WHEN TG_OP IN ('UPDATE', 'INSERT') THEN to_jsonb(NEW) END;
  id text;
BEGIN
  -- A notification has room for 7999 bytes. Without an id it means all tenants.
  FOREACH id IN ARRAY ARRAY[before ->> TG_ARGV[0], after ->> TG_ARGV[0]] LOOP
    IF id IS NOT NULL THEN
      PERFORM pg_notify('tutti_tenants', CASE WHEN octet_length(id) < 8000 THEN id ELSE '' END);
    END IF;
  END LOOP;
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify('tutti_tenants', '');
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE OR REPLACE TRIGGER tutti_tell AFTER INSERT OR UPDATE OR DELETE ON tenants
  FOR EACH ROW EXECUTE FUNCTION tutti_tell_tenants('external_id');
CREATE OR REPLACE TRIGGER tutti_tell_all AFTER TRUNCATE ON tenants
  FOR EACH STATEMENT EXECUTE FUNCTION tutti_tell_tenants();
CREATE OR REPLACE TRIGGER tutti_tell AFTER INSERT OR UPDATE OR DELETE ON extensions
  FOR EACH ROW EXECUTE FUNCTION tutti_tell_tenants('tenant_external_id');
CREATE OR REPLACE TRIGGER tutti_tell_all AFTER TRUNCATE ON extensions
  FOR EACH STATEMENT EXECUTE FUNCTION tutti_tell_tenants();
