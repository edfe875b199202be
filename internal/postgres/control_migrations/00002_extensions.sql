-- +goose Up
CREATE TABLE IF NOT EXISTS extensions (
  id                 uuid PRIMARY KEY,
  type               text,
  settings           jsonb,
  tenant_external_id text,
  inserted_at        timestamp(0) NOT NULL,
  updated_at         timestamp(0) NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS extensions_tenant_external_id_type_index ON extensions (tenant_external_id, type);
CREATE INDEX IF NOT EXISTS extensions_tenant_external_id_index ON extensions (tenant_external_id);

-- +goose StatementBegin
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_constraint
      WHERE conrelid = 'extensions'::regclass AND confrelid = 'tenants'::regclass AND contype = 'f') THEN
    ALTER TABLE extensions ADD CONSTRAINT extensions_tenant_external_id_fkey
      FOREIGN KEY (tenant_external_id) REFERENCES tenants (external_id) ON DELETE CASCADE;
  END IF;
END $$;
-- +goose StatementEnd
