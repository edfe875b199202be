package postgres

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

var born = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

// nodeOf returns a node of a cluster whose name is "node-1" and so on.
func nodeOf(cluster string, number int) NodeRecord {
	return NodeRecord{
		Cluster: cluster, Name: fmt.Sprint("node-", number), Address: fmt.Sprint("10.0.0.", number, ":6001"),
		Region: "eu", Version: "v1", Started: born,
	}
}

// announce announces a node and returns the names of the others, with commas
// between them.
func announce(t testing.TB, c *Control, self NodeRecord) string {
	t.Helper()
	others, err := c.Announce(t.Context(), self, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range others {
		names = append(names, n.Name)
	}
	return strings.Join(names, ",")
}

// age makes a row as old as it would be after some time.
func age(t testing.TB, c *Control, name, by string) {
	t.Helper()
	psql(t, c.config, fmt.Sprintf("UPDATE _realtime.tutti_nodes SET seen = seen - interval '%s' WHERE name = '%s'", by, name))
}

func TestNodesFindEachOther(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for i, want := range []string{"", "node-1", "node-1,node-2"} {
		if got := announce(t, c, nodeOf("tutti", i+1)); got != want {
			t.Errorf("node %d finds %q, want %q", i+1, got, want)
		}
	}
	others, err := c.Announce(t.Context(), nodeOf("tutti", 1), time.Minute)
	if err != nil || len(others) != 2 {
		t.Fatalf("%v, %v", others, err)
	}
	got, want := others[0], nodeOf("tutti", 2)
	want.Started = want.Started.Truncate(time.Microsecond)
	now := value[time.Time](t, c.config, "SELECT now()")
	if age := now.Sub(got.Seen); age < 0 || age > time.Minute {
		t.Errorf("it was seen %v ago", age)
	}
	if want.Seen = got.Seen; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestANodeThatChangedIsFoundAsItIs(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	moved := nodeOf("tutti", 1)
	announce(t, c, moved)
	moved.Address, moved.Version, moved.Region = "[fd00::1]:6001", "v2", ""
	announce(t, c, moved)
	others, err := c.Announce(t.Context(), nodeOf("tutti", 2), time.Minute)
	if err != nil || len(others) != 1 {
		t.Fatalf("%v, %v", others, err)
	}
	if got := others[0]; got.Address != moved.Address || got.Version != "v2" || got.Region != "" {
		t.Errorf("found %+v", got)
	}
}

func TestClustersOfOneDatabaseDoNotMeet(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	announce(t, c, nodeOf("blue", 1))
	announce(t, c, nodeOf("blue", 2))
	if got := announce(t, c, nodeOf("green", 1)); got != "" {
		t.Errorf("a node of another cluster finds %q", got)
	}
	if err := c.Withdraw(t.Context(), nodeOf("green", 2)); err != nil {
		t.Fatal(err)
	}
	if got := announce(t, c, nodeOf("blue", 1)); got != "node-2" {
		t.Errorf("after a node of another cluster withdrew, %q is found", got)
	}
}

func TestNodesThatAreNotSeen(t *testing.T) {
	t.Parallel()
	for by, want := range map[string]struct {
		found string
		kept  int
	}{
		"59 seconds":             {"node-2", 1},
		"2 minutes":              {"", 1},
		"11 minutes":             {"", 0},
		"-30 seconds":            {"node-2", 1}, // the database's clock was set back
		"-11 minutes":            {"", 0},
		"-1 days -1 hours":       {"", 0},
		"99 years 3 mons 1 days": {"", 0},
	} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			c := migrated(t)
			announce(t, c, nodeOf("tutti", 2))
			announce(t, c, nodeOf("other", 2))
			age(t, c, "node-2", by)
			if got := announce(t, c, nodeOf("tutti", 1)); got != want.found {
				t.Errorf("it finds %q, want %q", got, want.found)
			}
			const kept = "SELECT count(*) FROM _realtime.tutti_nodes WHERE cluster = $1 AND name = 'node-2'"
			for _, cluster := range []string{"tutti", "other"} {
				if n := value[int](t, c.config, kept, cluster); n != want.kept {
					t.Errorf("%d rows of cluster %s are kept, want %d", n, cluster, want.kept)
				}
			}
		})
	}
}

func TestANodeThatComesBackAfterLongIsKept(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	announce(t, c, nodeOf("tutti", 1))
	age(t, c, "node-1", "1 day")
	announce(t, c, nodeOf("tutti", 1))
	if got := announce(t, c, nodeOf("tutti", 2)); got != "node-1" {
		t.Errorf("found %q", got)
	}
}

func TestTwoNodesOfOneNameSeeEachOther(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	one, two := nodeOf("tutti", 1), nodeOf("tutti", 1)
	two.Started = one.Started.Add(time.Microsecond)
	if got := announce(t, c, one) + announce(t, c, one); got != "" {
		t.Errorf("alone it finds %q", got)
	}
	for range 3 {
		if got := announce(t, c, two); got != "node-1" {
			t.Errorf("the second finds %q", got)
		}
		if got := announce(t, c, one); got != "node-1" {
			t.Errorf("the first finds %q", got)
		}
	}
	announce(t, c, two)
	if got := announce(t, c, two); got != "" {
		t.Errorf("when the first has ended the second still finds %q", got)
	}
}

func TestANodeThatWithdrawsIsNotFound(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	before, after := nodeOf("tutti", 1), nodeOf("tutti", 1)
	after.Started = before.Started.Add(time.Second)
	announce(t, c, before)
	announce(t, c, after)
	if err := c.Withdraw(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if got := announce(t, c, nodeOf("tutti", 2)); got != "node-1" {
		t.Errorf("the end of an earlier start hides the later: found %q", got)
	}
	for range 2 {
		if err := c.Withdraw(t.Context(), after); err != nil {
			t.Fatal(err)
		}
	}
	if got := announce(t, c, nodeOf("tutti", 2)); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestARecordThatSaysTooLittle(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for name, spoil := range map[string]func(*NodeRecord){
		"no cluster":  func(n *NodeRecord) { n.Cluster = "" },
		"no name":     func(n *NodeRecord) { n.Name = "" },
		"no address":  func(n *NodeRecord) { n.Address = "" },
		"no start":    func(n *NodeRecord) { n.Started = time.Time{} },
		"a zero byte": func(n *NodeRecord) { n.Region = "\x00" },
	} {
		n := nodeOf("tutti", 1)
		spoil(&n)
		if _, err := c.Announce(t.Context(), n, time.Minute); err == nil || errors.Is(err, tutti.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := value[int](t, c.config, "SELECT count(*) FROM _realtime.tutti_nodes"); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

// Nodes that come back after long, while others drop their rows, lock the same
// rows; and in the end every node is there.
func TestNodesThatAnnounceAtOnce(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	const nodes = 5
	for range 10 {
		for i := range nodes {
			announce(t, c, nodeOf("tutti", i))
		}
		psql(t, c.config, "UPDATE _realtime.tutti_nodes SET seen = seen - interval '1 hour'")
		var all sync.WaitGroup
		for i := range nodes {
			all.Go(func() {
				if _, err := c.Announce(t.Context(), nodeOf("tutti", i), time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := announce(t, c, nodeOf("tutti", nodes)); got != "node-0,node-1,node-2,node-3,node-4" {
			t.Fatalf("found %q", got)
		}
	}
}

func TestNodesInADatabaseOfTheReference(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"testdata/reference_schema.sql", "testdata/older_schema.sql"} {
		c := open(t, place(t), gcm)
		load(t, c.config, file)
		if _, err := c.Announce(t.Context(), nodeOf("tutti", 1), time.Minute); err == nil || errors.Is(err, tutti.ErrUnavailable) {
			t.Errorf("%s: before the migrations: %v", file, err)
		}
		if err := c.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		announce(t, c, nodeOf("tutti", 1))
		if got := announce(t, c, nodeOf("tutti", 2)); got != "node-1" {
			t.Errorf("%s: found %q", file, got)
		}
	}
}

// The control database is often that of a tenant as well.
func TestNodesAreNoChangesOfATenant(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	psql(t, c.config, "CREATE PUBLICATION everything FOR ALL TABLES")
	announce(t, c, nodeOf("tutti", 1))
	const published = "SELECT count(*) FROM pg_publication_tables WHERE pubname = 'everything' AND tablename = $1"
	if n := value[int](t, c.config, published, "tutti_nodes"); n != 0 {
		t.Error("a publication of all tables has the nodes")
	}
	if n := value[int](t, c.config, published, "tenants"); n != 1 {
		t.Error("the publication should have the tenants")
	}
}

func TestNodesAreFoundAgainAfterACrash(t *testing.T) {
	t.Parallel()
	server, _ := postmastertest.Server(t)
	c := open(t, ControlConfig{
		Host: "127.0.0.1", Port: uint16(server.Port()), Name: "postgres", User: "supabase_admin", Password: server.Password(),
	}, gcm)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	announce(t, c, nodeOf("tutti", 1))
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Announce(t.Context(), nodeOf("tutti", 2), time.Minute); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("announce: %v", err)
	}
	if err := c.Withdraw(t.Context(), nodeOf("tutti", 2)); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("withdraw: %v", err)
	}
	if _, err := c.LocalIP(t.Context()); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("local address: %v", err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	announce(t, c, nodeOf("tutti", 2))
	if got := announce(t, c, nodeOf("tutti", 1)); got != "node-2" {
		t.Errorf("found %q", got)
	}
}

func TestTheAddressByWhichTheDatabaseIsReached(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	if got, err := c.LocalIP(t.Context()); err != nil || got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("over TCP: %v, %v", got, err)
	}
	config := c.config
	config.Host = value[string](t, config, "SELECT trim(split_part(current_setting('unix_socket_directories'), ',', 1))")
	local := open(t, config, gcm)
	if got, err := local.LocalIP(t.Context()); err == nil || errors.Is(err, tutti.ErrUnavailable) || got.IsValid() {
		t.Errorf("over a socket in a folder: %v, %v", got, err)
	}
	if names := strings.Split(announce(t, local, nodeOf("tutti", 1)), ","); !slices.Equal(names, []string{""}) {
		t.Errorf("over a socket in a folder: found %q", names)
	}
}
