-- +goose Up
CREATE TABLE IF NOT EXISTS feature_flags (
  id          uuid PRIMARY KEY,
  name        varchar(255) NOT NULL,
  enabled     boolean NOT NULL DEFAULT false,
  inserted_at timestamp(0) NOT NULL,
  updated_at  timestamp(0) NOT NULL
);

ALTER TABLE feature_flags
  ADD COLUMN IF NOT EXISTS rollout_percentage integer NOT NULL DEFAULT 100 CHECK (rollout_percentage BETWEEN 0 AND 100),
  ADD COLUMN IF NOT EXISTS bucket_key         varchar(255);

CREATE UNIQUE INDEX IF NOT EXISTS feature_flags_name_index ON feature_flags (name);
