package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// forgotten is how long a node is kept in the table that is not seen, for an
// operator who looks where it was.
const forgotten = 10 * time.Minute

// announceNode writes the row of a node, drops rows of nodes that are long gone,
// and reads those of others. A statement sees the table as it was before it, so
// the last part sees whose row the first replaces. Only the database's clock is
// asked; a row from its future was written before that was set back, and is as
// good as one from its past. Rows that another node is about to drop are left to
// it: two that wait for each other's rows would wait for ever.
const announceNode = `
WITH own AS (
  INSERT INTO tutti_nodes (cluster, name, address, region, version, started, seen)
  VALUES (@cluster, @name, @address, @region, @version, @started, now())
  ON CONFLICT (cluster, name) DO UPDATE SET
    address = excluded.address, region = excluded.region, version = excluded.version,
    started = excluded.started, seen = excluded.seen
  RETURNING name
), gone AS (
  DELETE FROM tutti_nodes WHERE (cluster, name) IN (
    SELECT cluster, name FROM tutti_nodes
    WHERE seen NOT BETWEEN now() - @forgotten::interval AND now() + @forgotten::interval
      AND (cluster <> @cluster OR name <> @name)
      AND (SELECT count(*) FROM own) = 1
    FOR UPDATE SKIP LOCKED)
)
SELECT cluster, name, address, region, version, started, seen FROM tutti_nodes
WHERE cluster = @cluster AND (name <> @name OR started <> @started)
  AND seen BETWEEN now() - @recent::interval AND now() + @recent::interval
ORDER BY name COLLATE "C"`

const withdrawNode = `DELETE FROM tutti_nodes WHERE cluster = $1 AND name = $2 AND started = $3`

var errNoNode = errors.New("a node needs a cluster, a name, an address and the time of its start")

// A NodeRecord is what a node says of itself in the control database.
type NodeRecord struct {
	Cluster string
	Name    string // unique in the cluster
	Address string // where other nodes come in: host:port
	Region  string
	Version string
	Started time.Time // by the node's clock, to the microsecond
	Seen    time.Time // by the database's clock; set by the database
}

// Announce writes the row of a node, and returns the other nodes of its cluster
// that did so within the time given, in the order of their names. It is one
// round trip, to be made again every few seconds.
//
// Among them is one of the node's own name when its row was of another start
// (Started differs): once after a node has ended without Withdraw, and again
// and again while two nodes have one name, each of which replaces the other's
// row.
//
// A node that is not among them need not be gone, since the table is empty after
// a crash of the database; and after an error all is as it was.
func (c *Control) Announce(ctx context.Context, self NodeRecord, recent time.Duration) ([]NodeRecord, error) {
	if self.Cluster == "" || self.Name == "" || self.Address == "" || self.Started.IsZero() {
		return nil, errNoNode
	}
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	// An error of Query is in rows as well.
	rows, _ := c.pool.Query(ctx, announceNode, pgx.StrictNamedArgs{
		"cluster": self.Cluster, "name": self.Name, "address": self.Address,
		"region": self.Region, "version": self.Version, "started": stamp(self.Started),
		"recent": recent, "forgotten": forgotten,
	})
	others, err := pgx.CollectRows(rows, pgx.RowToStructByPos[NodeRecord])
	if err != nil {
		return nil, fmt.Errorf("announce node %s: %w", self.Name, failed(err))
	}
	for i, n := range others {
		others[i].Started, others[i].Seen = n.Started.UTC(), n.Seen.UTC()
	}
	return others, nil
}

// Withdraw removes the row of a node that stops. One that another start of the
// same name has written since stays.
func (c *Control) Withdraw(ctx context.Context, self NodeRecord) error {
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	if _, err := c.pool.Exec(ctx, withdrawNode, self.Cluster, self.Name, stamp(self.Started)); err != nil {
		return fmt.Errorf("withdraw node %s: %w", self.Name, failed(err))
	}
	return nil
}

// stamp returns a time as the database keeps it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// LocalIP returns the address by which this machine reaches the control
// database: others that use the same database can likely reach us there. It is
// one of loopback when the database is on this machine, and an error when the
// way there is a socket in a folder.
func (c *Control) LocalIP(ctx context.Context) (netip.Addr, error) {
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	conn, err := c.pool.Acquire(ctx)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the address by which the control database is reached: %w", failed(err))
	}
	defer conn.Release()
	local := conn.Conn().PgConn().Conn().LocalAddr()
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, fmt.Errorf("find the address by which the control database is reached: it is not reached by TCP but by %v", local.Network())
	}
	return tcp.AddrPort().Addr().Unmap(), nil
}
