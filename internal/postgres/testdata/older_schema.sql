-- The control tables as an older version of the reference had them: bounded
-- texts, a secret that must be there, other defaults, no flags, and most limits
-- not yet invented.
CREATE SCHEMA _realtime;
SET search_path TO _realtime;

CREATE TABLE schema_migrations (
  version     bigint PRIMARY KEY,
  inserted_at timestamp(0) without time zone
);

CREATE TABLE tenants (
  id uuid NOT NULL PRIMARY KEY,
  name character varying(255),
  external_id character varying(255),
  jwt_secret character varying(500) NOT NULL,
  max_concurrent_users integer DEFAULT 10000 NOT NULL,
  inserted_at timestamp(0) without time zone NOT NULL,
  updated_at timestamp(0) without time zone NOT NULL,
  max_events_per_second integer DEFAULT 100 NOT NULL
);
CREATE UNIQUE INDEX tenants_external_id_index ON tenants (external_id);

CREATE TABLE extensions (
  id uuid NOT NULL PRIMARY KEY,
  type character varying(255),
  settings jsonb,
  tenant_external_id character varying(255)
    CONSTRAINT extensions_tenant_external_id_fkey REFERENCES tenants (external_id) ON DELETE CASCADE,
  inserted_at timestamp(0) without time zone NOT NULL,
  updated_at timestamp(0) without time zone NOT NULL
);
CREATE UNIQUE INDEX extensions_tenant_external_id_type_index ON extensions (tenant_external_id, type);

INSERT INTO schema_migrations VALUES (20210706140551, '2022-01-01 00:00:00');

INSERT INTO tenants (id, name, external_id, jwt_secret, inserted_at, updated_at) VALUES
  ('00000000-0000-4000-8000-000000000001', 'Old', 'old', '0KjMQ6eWJa47KAZtLI5ojRvbeC3ITO0kh+OzJe1GPwQ=',
   '2022-01-02 03:04:05', '2022-02-03 04:05:06');
INSERT INTO extensions (id, type, settings, tenant_external_id, inserted_at, updated_at) VALUES
  ('00000000-0000-4000-8000-00000000000a', 'postgres_cdc_rls', '{
    "db_host": "7Wwy/7hIGy35MCo8jeVy+w==", "db_port": "m3KM2cjJ+t7C3443QcjOgA==", "db_name": "v1QVng3N+pZd/0AEObABwg==",
    "db_user": "fUUNRi3V/4miyO1Yci7Gcg==", "db_password": "Rl90c4ojFlIMgVzONG71+35HjrcRbAEALkJPWpMjoeo=",
    "region": "us-east-1"}', 'old', '2022-01-02 03:04:05', '2022-02-03 04:05:06');
