// Package admin is what the console for operators asks: the nodes and their load,
// tenants with what they do, topics with who is in them and what passes, and the
// few things an operator does about them. It serves /admin/api to internal/api's
// page, and asks the other nodes, so that what it shows is the whole cluster.
//
// It costs nothing while nobody looks, but for the numbers of the last ten minutes
// (series.go). Looking into a topic (look.go) changes nothing for its clients. It
// owns the goroutine of Run, and those of no request outlive it.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/feed"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// Call is the name under which nodes speak about what consoles want to know.
const Call = "admin"

// A Bus is how the node reaches others. *cluster.Bus and *cluster.Local are.
type Bus interface {
	Members() []cluster.Member
	Tell(to, name string, payload []byte) error
	Ask(ctx context.Context, to, name string, payload []byte) (replies []cluster.Reply, silent []string, err error)
}

// Sockets is the connections of this node. *socket.Server is one.
type Sockets interface {
	Open() int
}

// Health is how a tenant is; the fields are those of the tenants API.
type Health struct {
	Healthy              bool   `json:"healthy"`
	DBConnected          bool   `json:"db_connected"`
	ReplicationConnected bool   `json:"replication_connected"`
	ConnectedCluster     int    `json:"connected_cluster"`
	Region               string `json:"region"`
	Node                 string `json:"node"`
}

// A Console answers operators. Its exported fields are set before it is used and
// not changed; all are needed unless theirs says otherwise.
type Console struct {
	Keys Keys
	Gate *gate.Gate // knows where requests come from; nil takes their word for it

	Registry  tenant.Registry
	Directory *tenant.Directory
	Defaults  tenant.Defaults // limits of new tenants that name none
	Writable  bool            // tenants can be created and changed
	TenantURL string          // with {tenant} in it: where clients reach a tenant; "" is made of the request's host

	Meters  *limit.Meters
	Topics  *hub.Hub
	Loops   []hub.Loop // by their numbers
	Roster  *presence.Roster
	Feeds   *feed.Feeds
	Sockets Sockets
	Bus     Bus

	SlotSuffix string // of replication slots

	// Health says how a tenant is. Expel throws clients out on all nodes and returns
	// how many. Reload drops a tenant's clients and has its database read anew.
	Health func(ctx context.Context, t *tutti.Tenant) Health
	Expel  func(ctx context.Context, id string, who channel.Who) (int, error)
	Reload func(ctx context.Context, id string) error

	Log *slog.Logger

	failures gate.Failures
	recorder recorder
	shots    shelf
	viewers  viewers
	turn     chan struct{} // holds one who changes a tenant
	over     chan struct{} // closed when streams must end

	mu    sync.Mutex // guards what follows; only hub.Loop.Post is called under it
	looks map[uint64]*look
	taps  map[tapKey]*tap
	shut  bool
}

// guesses is how many wrong passwords an address may show in a minute.
const guesses = 10

// New makes a console ready to answer.
func New(c *Console) *Console {
	c.failures = gate.Failures{Most: guesses, Per: time.Minute}
	c.recorder.rings = map[string]*ring{}
	c.turn = make(chan struct{}, 1)
	c.over = make(chan struct{})
	c.looks, c.taps = map[uint64]*look{}, map[tapKey]*tap{}
	return c
}

// Run keeps the numbers of the last ten minutes, and ends what other nodes look at
// and have forgotten about, until the context ends, whose cause it returns.
func (c *Console) Run(ctx context.Context) error {
	defer c.untapAll()
	defer c.Close() // before: then no new ones begin
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	c.record(time.Now())
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			c.record(now)
			c.expire(now)
		}
	}
}

// Close ends all streams, so that the server can stop. No new ones begin.
func (c *Console) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shut {
		c.shut = true
		close(c.over)
	}
}

// Handler returns the routes below /admin/api.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	const tenants, one = "/admin/api/tenants", "/admin/api/tenants/{id}"
	const topic = one + "/topics/{topic}"
	for pattern, serve := range map[string]served{
		"GET /admin/api/overview": c.getOverview,
		"GET /admin/api/live":     c.live,
		"GET /admin/api/doctor":   c.doctor,
		"GET " + tenants:          c.listTenants,
		"POST " + tenants:         c.create,
		"GET " + one:              c.getTenant,
		"PATCH " + one:            c.change,
		"DELETE " + one:           c.remove,
		"GET " + one + "/health":  c.health,
		"GET " + one + "/snippet": c.snippet,
		"GET " + one + "/topics":  c.listTopics,
		"POST " + one + "/kick":   c.kick,
		"POST " + one + "/reload": c.reload,
		"POST " + one + "/token":  c.token,
		"GET " + topic:            c.getTopic,
		"GET " + topic + "/live":  c.lookIn,
		"/admin/api/":             nowhere,
	} {
		mux.HandleFunc(pattern, c.open(serve))
	}
	return mux
}

func nowhere(http.ResponseWriter, *visit) error {
	return &Fault{Status: http.StatusNotFound, Code: "NotFound", Message: "there is no such path, or not with this method"}
}
