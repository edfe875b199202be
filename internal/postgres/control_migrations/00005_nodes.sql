-- Where the nodes of a cluster say where they are. The table is ours alone, so it
-- has our name, as the notes of migrations have. It is unlogged: it is true for
-- some seconds only, writing it costs no WAL, and no publication of all tables
-- tells anybody's client of it. A crash of the database empties it, and every
-- node writes its row again. It holds no secret.

-- +goose Up
CREATE UNLOGGED TABLE IF NOT EXISTS tutti_nodes (
  cluster text NOT NULL,
  name    text NOT NULL,
  address text NOT NULL, -- where other nodes come in: host:port
  region  text NOT NULL,
  version text NOT NULL,
  started timestamptz NOT NULL, -- of the node's clock; tells one life of a node from the next
  seen    timestamptz NOT NULL, -- of the database's clock
  PRIMARY KEY (cluster, name)
);
