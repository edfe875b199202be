-- The tables are those of the reference (database.md §1), which may have made
-- them before us, in an older version, and may use them again after us. So every
-- statement looks first at what is there, nothing is renamed or removed, and
-- writers that know nothing of a column need not name it.

-- +goose Up
CREATE TABLE IF NOT EXISTS tenants (
  id          uuid PRIMARY KEY,
  external_id text,
  inserted_at timestamp(0) NOT NULL,
  updated_at  timestamp(0) NOT NULL
);

ALTER TABLE tenants
  ADD COLUMN IF NOT EXISTS name                                  text,
  ADD COLUMN IF NOT EXISTS jwt_secret                            text,
  ADD COLUMN IF NOT EXISTS jwt_jwks                              jsonb,
  ADD COLUMN IF NOT EXISTS postgres_cdc_default                  text DEFAULT 'postgres_cdc_rls',
  ADD COLUMN IF NOT EXISTS max_concurrent_users                  integer NOT NULL DEFAULT 200,
  ADD COLUMN IF NOT EXISTS max_events_per_second                 integer NOT NULL DEFAULT 100,
  ADD COLUMN IF NOT EXISTS max_presence_events_per_second        integer DEFAULT 1000,
  ADD COLUMN IF NOT EXISTS max_payload_size_in_kb                integer DEFAULT 3000,
  ADD COLUMN IF NOT EXISTS max_bytes_per_second                  integer NOT NULL DEFAULT 100000,
  ADD COLUMN IF NOT EXISTS max_channels_per_client               integer NOT NULL DEFAULT 100,
  ADD COLUMN IF NOT EXISTS max_joins_per_second                  integer NOT NULL DEFAULT 500,
  ADD COLUMN IF NOT EXISTS suspend                               boolean DEFAULT false,
  ADD COLUMN IF NOT EXISTS private_only                          boolean NOT NULL DEFAULT false,
  ADD COLUMN IF NOT EXISTS migrations_ran                        integer DEFAULT 0,
  ADD COLUMN IF NOT EXISTS broadcast_adapter                     varchar(255) DEFAULT 'gen_rpc',
  ADD COLUMN IF NOT EXISTS max_client_presence_events_per_window integer,
  ADD COLUMN IF NOT EXISTS client_presence_window_ms             integer,
  ADD COLUMN IF NOT EXISTS presence_enabled                      boolean NOT NULL DEFAULT false,
  ADD COLUMN IF NOT EXISTS feature_flags                         jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN IF NOT EXISTS gcm_migrated_at                       timestamp(0),
  ADD COLUMN IF NOT EXISTS notify_private_alpha                  boolean DEFAULT false;

-- Older tables have other defaults, and columns that had to be filled.
ALTER TABLE tenants
  ALTER COLUMN jwt_secret              DROP NOT NULL,
  ALTER COLUMN postgres_cdc_default    SET DEFAULT 'postgres_cdc_rls',
  ALTER COLUMN max_concurrent_users    SET DEFAULT 200,
  ALTER COLUMN max_events_per_second   SET DEFAULT 100,
  ALTER COLUMN max_bytes_per_second    SET DEFAULT 100000,
  ALTER COLUMN max_channels_per_client SET DEFAULT 100,
  ALTER COLUMN max_joins_per_second    SET DEFAULT 500,
  ALTER COLUMN suspend                 SET DEFAULT false,
  ALTER COLUMN private_only            SET DEFAULT false;

-- A sealed secret is longer than the secret, and older columns end at 255.
-- Only those are touched: a view that somebody made forbids even ALTER to the
-- same type.
-- +goose StatementBegin
DO $$
DECLARE
  narrow name;
BEGIN
  FOR narrow IN
    SELECT attname FROM pg_attribute
    WHERE attrelid = 'tenants'::regclass AND atttypid = 'varchar'::regtype
      AND attname IN ('external_id', 'name', 'jwt_secret', 'postgres_cdc_default')
  LOOP
    EXECUTE format('ALTER TABLE tenants ALTER COLUMN %I TYPE text', narrow);
  END LOOP;

  IF NOT EXISTS (SELECT FROM pg_constraint
      WHERE conrelid = 'tenants'::regclass AND conname = 'jwt_secret_or_jwt_jwks_required') THEN
    ALTER TABLE tenants ADD CONSTRAINT jwt_secret_or_jwt_jwks_required
      CHECK (jwt_secret IS NOT NULL OR jwt_jwks IS NOT NULL);
  END IF;
END $$;
-- +goose StatementEnd

CREATE UNIQUE INDEX IF NOT EXISTS tenants_external_id_index ON tenants (external_id);
