package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/auth"
)

// severalNodes starts nodes that share a tenants file and know each other.
func severalNodes(t *testing.T, n int, setup func(*script)) []*script {
	t.Helper()
	var all []*script
	peers := ""
	for i := range n {
		s := &script{t: t, medium: tcp(t), clients: map[string]*speaker{}, file: t.TempDir() + "/tenants.yaml"}
		s.flags = []string{"--cluster-listen=127.0.0.1:0", fmt.Sprintf("--node-name=n%d", i), "--cluster-lost=2s"}
		if peers != "" {
			s.flags = append(s.flags, "--cluster-peers="+peers)
		}
		if setup != nil {
			setup(s)
		}
		s.serve()
		t.Cleanup(s.end)
		select {
		case <-s.app.several.Ready():
		case <-time.After(20 * time.Second):
			t.Fatal("a node does not get ready")
		}
		if peers == "" {
			peers = s.app.several.Address()
		}
		all = append(all, s)
	}
	for _, s := range all {
		s.await("all nodes to meet", func() bool { return len(s.app.bus.Members()) == n })
	}
	return all
}

// await waits until something is so.
func (s *script) await(what string, so func() bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			s.t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// hear waits until other nodes know that this one listens to a topic.
func hear(from *speaker, to ...*speaker) {
	heard := map[*speaker]bool{}
	for i := 0; len(heard) < len(to); i++ {
		if i > 5000 {
			from.script.fatalf("nobody hears %s", from.name)
		}
		from.send(fmt.Sprintf(`["1",null,"realtime:t","broadcast",{"type":"broadcast","event":"hello","n":%d}]`, i))
		for _, c := range to {
			select {
			case <-c.frames:
				heard[c] = true
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	from.send(`["1",null,"realtime:t","broadcast",{"type":"broadcast","event":"fence"}]`)
	for _, c := range to {
		for !strings.Contains(string(c.next().payload), `"fence"`) {
		}
	}
}

func TestABroadcastReachesTheListenersOfAllNodesOnceAndInOrder(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, (*script).unlimited)
	ann, bob, cid := n[0].join("ann", "t"), n[1].join("bob", "t"), n[2].join("cid", "t")
	dan := n[0].join("dan", "t")
	hear(ann, bob, cid, dan)
	const messages = 500
	for i := range messages {
		ann.send(fmt.Sprintf(`["1",null,"realtime:t","broadcast",{"type":"broadcast","event":"e","n":%d}]`, i))
	}
	for _, c := range []*speaker{bob, cid, dan} {
		for i := range messages {
			c.expect(fmt.Sprintf(`[null,null,"realtime:t","broadcast",{"type":"broadcast","event":"e","n":%d}]`, i))
		}
	}
	bob.send(`["1",null,"realtime:t","broadcast",{"type":"broadcast","event":"back"}]`)
	for _, c := range []*speaker{ann, cid, dan} { // ann has heard nothing of her own
		c.expect(`[null,null,"realtime:t","broadcast",{"type":"broadcast","event":"back"}]`)
	}
}

func TestWhoIsToldThatHeHasJoinedHearsTheNextMessage(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, (*script).unlimited)
	for _, s := range n {
		s.connect("c", "")
	}
	ann, bob, cid := n[0].client("c"), n[1].client("c"), n[2].client("c")
	for i := range 50 {
		topic := fmt.Sprint("t", i)
		ann.join(topic)
		for _, c := range []*speaker{bob, cid} {
			c.join(topic)
			ann.say(topic, i, "")
			if _, got := c.heardFrom(); got != i {
				t.Fatalf("%d, want %d", got, i)
			}
			if c == cid {
				bob.heardFrom()
			}
		}
	}
}

func TestAJoinThatIsGivenUpWhileOtherNodesLearnOfIt(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 2, (*script).unlimited)
	n[0].connect("ann", "")
	ann := n[0].client("ann")
	for i := range 20 { // each is joined, joined again and left at once
		topic := fmt.Sprintf("realtime:g%d", i)
		ann.send(fmt.Sprintf(`["1","1",%q,"phx_join",{"config":{}}]`, topic))
		ann.send(fmt.Sprintf(`["2","2",%q,"phx_join",{"config":{}}]`, topic))
		ann.send(fmt.Sprintf(`["2","3",%q,"phx_leave",{}]`, topic))
		closed, left := map[string]bool{}, false
		for !left || len(closed) < 2 {
			var frame []any
			if err := json.Unmarshal(ann.next().payload, &frame); err != nil {
				t.Fatal(err)
			}
			switch {
			case frame[3] == "phx_close":
				closed[frame[0].(string)] = true
			case frame[1] == "3":
				left = true
			}
		}
	}
	ann.join("after") // all is as it should be
	n[0].await("its topics to be forgotten", func() bool { return n[0].app.topics.Topics() == 1 })
}

// joinPresent joins with presence on and returns the keys of its presence_state.
func joinPresent(s *script, name string) (*speaker, string) {
	s.connect(name, "")
	c := s.client(name)
	c.send(`["1","1","realtime:t","phx_join",{"config":{"presence":{"enabled":true,"key":"` + name + `"}}}]`)
	c.expect(`["1","1","realtime:t","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`)
	return c, keysOf(c, "presence_state")
}

// keysOf reads frames until one has the event, and returns the keys of its payload,
// which is a presence_state.
func keysOf(c *speaker, event string) string {
	for {
		var frame []json.RawMessage
		f := c.next()
		if json.Unmarshal(f.payload, &frame) != nil || len(frame) != 5 || string(frame[3]) != `"`+event+`"` {
			continue
		}
		return strings.Join(sortedKeys(frame[4]), " ")
	}
}

func sortedKeys(object []byte) (keys []string) {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(object, &m)
	for _, k := range []string{"ann", "bob", "cid"} {
		if _, found := m[k]; found {
			keys = append(keys, k)
		}
	}
	return keys
}

func (c *speaker) track() {
	c.send(`["1","t","realtime:t","presence",{"type":"presence","event":"track","payload":{"at":"work"}}]`)
}

// awaitDiff reads until a presence_diff has the key among its joins or leaves.
func (c *speaker) awaitDiff(side, key string) {
	for {
		var frame []json.RawMessage
		if json.Unmarshal(c.next().payload, &frame) != nil || len(frame) != 5 || string(frame[3]) != `"presence_diff"` {
			continue
		}
		var diff map[string]map[string]json.RawMessage
		_ = json.Unmarshal(frame[4], &diff)
		if _, found := diff[side][key]; found {
			return
		}
	}
}

func TestPresenceIsThatOfAllNodes(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, (*script).unlimited)
	ann, there := joinPresent(n[0], "ann")
	if there != "" {
		t.Fatalf("ann finds %s", there)
	}
	ann.track()
	ann.awaitDiff("joins", "ann")
	bob, there := joinPresent(n[1], "bob")
	if there != "ann" {
		t.Fatalf("bob finds %q: the state did not wait for the other node", there)
	}
	bob.track()
	ann.awaitDiff("joins", "bob")
	cid, there := joinPresent(n[2], "cid")
	if there != "ann bob" {
		t.Fatalf("cid finds %q", there)
	}
	_ = bob.conn.Close()
	ann.awaitDiff("leaves", "bob")
	cid.awaitDiff("leaves", "bob")
	n[0].stop() // ann's node goes, with her
	cid.awaitDiff("leaves", "ann")
}

func TestUsersAreCountedOnAllNodes(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 2, func(s *script) { s.unlimited(); s.fields = append(s.fields, "max_concurrent_users: 2") })
	n[0].join("ann", "t")
	n[0].join("bob", "t")
	n[1].await("the other node's users", func() bool { return n[1].app.meters.Of("acme").ClusterUsers() == 2 })
	n[1].refused(`429 {"error":"Too many connected users"}`)
	_ = n[0].client("ann").conn.Close()
	n[1].await("a place", func() bool { return n[1].app.meters.Of("acme").ClusterUsers() == 1 })
	n[1].join("cid", "t")
}

func TestOperationsReachTheClientsOfAllNodes(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, (*script).unlimited)
	for i, s := range n {
		s.connect(fmt.Sprint("c", i), fmt.Sprintf("sub=user-%d", i%2))
		s.client(fmt.Sprint("c", i)).join("t")
	}
	out, err := n[1].app.someClients(callExpel)(context.Background(), "acme", api.Who{Subject: "user-0"})
	if err != nil || out != 2 {
		t.Fatalf("%d were thrown out, %v", out, err)
	}
	for _, c := range []*speaker{n[0].client("c0"), n[2].client("c2")} {
		for range c.frames { // until it is hung up on
		}
	}
	if err := n[2].app.tenantWide(callDismiss)(context.Background(), "acme"); err != nil {
		t.Fatal(err)
	}
	for range n[1].client("c1").frames {
	}
}

func TestANodeThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 2, nil)
	_, err := n[0].app.everywhere(context.Background(), "of a newer release", &operation{Tenant: "acme"})
	if err == nil {
		t.Error("a call that nobody knows was done")
	}
	payload := []byte(`{"tenant":"acme","of_a_newer_release":1}`)
	replies, silent, err := n[0].app.bus.Ask(context.Background(), "", callExpel, payload)
	if len(replies) != 1 || replies[0].Err != nil || len(silent) > 0 || err != nil {
		t.Errorf("%v %v %v", replies, silent, err)
	}
}

func TestStatusShowsAllNodes(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 2, func(s *script) {
		s.flags = append(s.flags, "--region=eu", "--node-address=http://here", "--metrics-jwt-secret="+metricsSecret)
	})
	url := "http://" + n[0].medium.listener.Addr().String()
	var status struct {
		Node    string
		Ready   bool
		Cluster struct {
			Nodes []struct {
				ID, Region string
				Addresses  []string
				RoundTrip  float64            `json:"round_trip_ms"`
				RoundTrips map[string]float64 `json:"round_trips"`
			}
		}
	}
	reader, err := auth.Mint(metricsSecret, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	n[0].await("round trips", func() bool {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/status", nil)
		request.Header.Set("Accept", "application/json")
		request.Header.Set("Authorization", "Bearer "+reader) // addresses are for those who run it
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if err := json.Unmarshal(text, &status); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return len(status.Cluster.Nodes) == 2 && status.Cluster.Nodes[1].RoundTrip > 0 && status.Cluster.Nodes[1].RoundTrips["n0"] > 0
	})
	other := status.Cluster.Nodes[1]
	if !status.Ready || status.Node != "n0" || other.ID != "n1" || other.Region != "eu" || other.Addresses[0] != "http://here" {
		t.Errorf("%+v", status)
	}
}

func TestAClusterThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config Config
		want   string
	}{
		"in the open":       {Config{Cluster: Cluster{Listen: "0.0.0.0:7000"}}, "needs TLS"},
		"half of TLS":       {Config{Cluster: Cluster{Listen: "127.0.0.1:0", TLSCert: "cert.pem"}}, "all three"},
		"a secret for each": {Config{DevTenant: "dev", Cluster: Cluster{Listen: "127.0.0.1:0"}}, "API_JWT_SECRET"},
		"a name alone":      {Config{Cluster: Cluster{Listen: "127.0.0.1:0", DNS: "nodes"}}, "CLUSTER_DNS must be name:port"},
		"a port in words":   {Config{Cluster: Cluster{Listen: "127.0.0.1:0", DNS: "nodes:http"}}, "no number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.config.DevTenant == "" {
				tt.config.DevTenant, tt.config.DevSecret = "dev", testSecret
			}
			_, err := New(tt.config, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAPortThatIsTakenEndsTheNode(t *testing.T) {
	t.Parallel()
	first := severalNodes(t, 1, nil)[0]
	s := &script{t: t, medium: tcp(t), clients: map[string]*speaker{}, file: t.TempDir() + "/tenants.yaml"}
	s.flags = []string{"--cluster-listen=" + first.app.several.Address(), "--node-name=other"}
	s.serve()
	if err := <-s.done; err == nil || !strings.Contains(err.Error(), "join the cluster") {
		t.Errorf("got %v", err)
	}
}
