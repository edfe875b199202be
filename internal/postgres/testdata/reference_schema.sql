-- The control tables as the reference leaves them after its last migration
-- (database.md §1), with two tenants: the secrets of "legacy" are AES-128-ECB,
-- those of "gcm" AES-256-GCM. Keys: 1234567890123456 and
-- 12345678901234567890123456789012. The tenant "keys" has a key set only.
CREATE SCHEMA _realtime;
SET search_path TO _realtime;

CREATE TABLE schema_migrations (
  version     bigint PRIMARY KEY,
  inserted_at timestamp(0) without time zone
);

CREATE TABLE tenants (
  id uuid NOT NULL,
  name text,
  external_id text,
  jwt_secret text,
  max_concurrent_users integer DEFAULT 200 NOT NULL,
  inserted_at timestamp(0) without time zone NOT NULL,
  updated_at timestamp(0) without time zone NOT NULL,
  max_events_per_second integer DEFAULT 100 NOT NULL,
  postgres_cdc_default text DEFAULT 'postgres_cdc_rls',
  max_bytes_per_second integer DEFAULT 100000 NOT NULL,
  max_channels_per_client integer DEFAULT 100 NOT NULL,
  max_joins_per_second integer DEFAULT 500 NOT NULL,
  suspend boolean DEFAULT false,
  jwt_jwks jsonb,
  notify_private_alpha boolean DEFAULT false,
  private_only boolean DEFAULT false NOT NULL,
  migrations_ran integer DEFAULT 0,
  broadcast_adapter character varying(255) DEFAULT 'gen_rpc',
  max_presence_events_per_second integer DEFAULT 1000,
  max_payload_size_in_kb integer DEFAULT 3000,
  max_client_presence_events_per_window integer,
  client_presence_window_ms integer,
  presence_enabled boolean DEFAULT false NOT NULL,
  feature_flags jsonb DEFAULT '{}' NOT NULL,
  gcm_migrated_at timestamp(0) without time zone,
  CONSTRAINT tenants_pkey PRIMARY KEY (id),
  CONSTRAINT jwt_secret_or_jwt_jwks_required CHECK (jwt_secret IS NOT NULL OR jwt_jwks IS NOT NULL)
);
CREATE UNIQUE INDEX tenants_external_id_index ON tenants (external_id);

CREATE TABLE extensions (
  id uuid NOT NULL PRIMARY KEY,
  type text,
  settings jsonb,
  tenant_external_id text,
  inserted_at timestamp(0) without time zone NOT NULL,
  updated_at timestamp(0) without time zone NOT NULL,
  CONSTRAINT extensions_tenant_external_id_fkey
    FOREIGN KEY (tenant_external_id) REFERENCES tenants (external_id) ON DELETE CASCADE
);
CREATE INDEX extensions_tenant_external_id_index ON extensions (tenant_external_id);
CREATE UNIQUE INDEX extensions_tenant_external_id_type_index ON extensions (tenant_external_id, type);

CREATE TABLE feature_flags (
  id uuid NOT NULL PRIMARY KEY,
  name character varying(255) NOT NULL,
  enabled boolean DEFAULT false NOT NULL,
  inserted_at timestamp(0) without time zone NOT NULL,
  updated_at timestamp(0) without time zone NOT NULL,
  rollout_percentage integer DEFAULT 100 NOT NULL,
  bucket_key character varying(255),
  CONSTRAINT rollout_in_percent CHECK (rollout_percentage BETWEEN 0 AND 100)
);
CREATE UNIQUE INDEX feature_flags_name_index ON feature_flags (name);

INSERT INTO schema_migrations VALUES (20210706140551, '2026-01-01 00:00:00'), (20260701000000, '2026-07-01 00:00:00');

INSERT INTO tenants (id, name, external_id, jwt_secret, jwt_jwks, migrations_ran, feature_flags, inserted_at, updated_at) VALUES
  ('00000000-0000-4000-8000-000000000001', 'Legacy', 'legacy', '0KjMQ6eWJa47KAZtLI5ojRvbeC3ITO0kh+OzJe1GPwQ=',
   NULL, 81, '{"some_flag": true}', '2026-01-02 03:04:05', '2026-02-03 04:05:06'),
  ('00000000-0000-4000-8000-000000000002', 'GCM', 'gcm', 'g1:AQEBAQEBAQEBAQEB0IKqvPpVIr6XY0MNSKeVYexIOAxYPrLQB4WOsTKcXnKgyg==',
   '{"keys": []}', 81, '{}', '2026-01-02 03:04:05', '2026-02-03 04:05:06'),
  ('00000000-0000-4000-8000-000000000003', NULL, 'keys', NULL,
   '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', 0, '{}', '2026-01-02 03:04:05', '2026-02-03 04:05:06');

INSERT INTO extensions (id, type, settings, tenant_external_id, inserted_at, updated_at) VALUES
  ('00000000-0000-4000-8000-00000000000a', 'postgres_cdc_rls', '{
    "db_host": "7Wwy/7hIGy35MCo8jeVy+w==", "db_port": "m3KM2cjJ+t7C3443QcjOgA==", "db_name": "v1QVng3N+pZd/0AEObABwg==",
    "db_user": "fUUNRi3V/4miyO1Yci7Gcg==", "db_password": "Rl90c4ojFlIMgVzONG71+35HjrcRbAEALkJPWpMjoeo=",
    "region": "us-east-1", "poll_interval_ms": 100, "ssl_enforced": false}', 'legacy', '2026-01-02 03:04:05', '2026-02-03 04:05:06'),
  ('00000000-0000-4000-8000-00000000000b', 'postgres_cdc_rls', '{
    "db_host": "g1:AgICAgICAgICAgICTbw6pGaFzy6gwTFgADPkB0eH3VR5zyBjcg==", "db_port": "g1:AwMDAwMDAwMDAwMDLPJXFR8xwMqcjeL9UWPqotWfZ0U=",
    "db_name": "g1:BAQEBAQEBAQEBAQEAJR8PCQmd+JTkO4UPovXs2p7orEEx+8+", "db_user": "g1:BQUFBQUFBQUFBQUFoje5k6PK94HjBaAukBaocnY+o8wr01sVoZMezO+o",
    "db_password": "g1:BgYGBgYGBgYGBgYGHsWhD0iiY2IJD0Ru6mN+8/GaiPFf++UG5LbedeifCOKw",
    "region": "us-east-1", "poll_interval_ms": 100, "ssl_enforced": false}', 'gcm', '2026-01-02 03:04:05', '2026-02-03 04:05:06');

INSERT INTO feature_flags (id, name, enabled, rollout_percentage, bucket_key, inserted_at, updated_at) VALUES
  ('00000000-0000-4000-8000-0000000000f1', 'gcm_encryption_backfill', true, 100, NULL, '2026-01-02 03:04:05', '2026-01-02 03:04:05'),
  ('00000000-0000-4000-8000-0000000000f2', 'track_fanout_metric', true, 30, 'fanout', '2026-01-02 03:04:05', '2026-01-02 03:04:05');
