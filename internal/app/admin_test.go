package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// withConsole lets the tests of the console in.
func withConsole(s *script) {
	s.unlimited()
	s.flags = append(s.flags, "--dashboard-user=root", "--dashboard-password=right")
}

// administer asks the console of a node.
func (s *script) administer(method, path, body string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.medium.listener.Addr().String()+"/admin/api"+path, strings.NewReader(body))
	if err != nil {
		s.fatalf("%v", err)
	}
	r.SetBasicAuth("root", "right")
	r.Header.Set("X-Requested-With", "tutti")
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		s.fatalf("%v", err)
	}
	s.t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// learn asks the console of a node, and reads the answer into a value.
func (s *script) learn(method, path, body string, into any) {
	s.t.Helper()
	answer := s.administer(method, path, body)
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.fatalf("%s %s answers %d %s %v", method, path, answer.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.fatalf("%v in %s", err, text)
	}
}

// A sighting is a message that an operator sees.
type sighting struct {
	Kind, Event string
	Payload     json.RawMessage
	From, Node  *string
}

// lookInto looks into topic t of a node's tenant until the test ends. Messages come
// through the channel.
func (s *script) lookInto(path string) <-chan sighting {
	s.t.Helper()
	answer := s.administer("GET", "/tenants/acme/topics/"+path, "")
	if answer.StatusCode != http.StatusOK {
		s.fatalf("looking in answers %d", answer.StatusCode)
	}
	seen, done := make(chan sighting, 10_000), make(chan struct{})
	go func() {
		defer close(done)
		lines, message := bufio.NewScanner(answer.Body), false
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			data, isData := strings.CutPrefix(lines.Text(), "data: ")
			if message && isData {
				var one sighting
				if err := json.Unmarshal([]byte(data), &one); err != nil {
					s.t.Errorf("%v in %s", err, data)
				}
				seen <- one
			}
			message = lines.Text() == "event: message"
		}
	}()
	s.t.Cleanup(func() { _ = answer.Body.Close(); <-done })
	return seen
}

type topicAnswer struct {
	Listeners, Total int
	Members          []struct{ Ref, Node, Sub, Role string }
	Presence         map[string][]map[string]any
	Unreachable      []string
}

func TestTheConsoleShowsAllNodes(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, withConsole)
	for i, name := range []string{"ann", "bob", "cid"} {
		n[i].connect(name, "sub="+name)
		n[i].client(name).send(`["1","1","realtime:t","phx_join",{"config":{"presence":{"enabled":true,"key":"` + name + `"}}}]`)
		keysOf(n[i].client(name), "presence_state")
	}
	n[2].join("dan", "u")
	n[0].client("ann").track()
	n[2].client("cid").awaitDiff("joins", "ann")

	var overview struct {
		Node  string
		Nodes []struct {
			ID          string
			Self, Alive bool
			Connections int
		}
		Totals struct {
			Tenants     int `json:"tenants_connected"`
			Connections int
			Channels    int
		}
		Unreachable []string
	}
	n[1].await("what all nodes have", func() bool {
		n[1].learn("GET", "/overview", "", &overview)
		return overview.Totals.Tenants == 1 && overview.Totals.Channels == 4 && overview.Totals.Connections == 4
	})
	if overview.Node != "n1" || len(overview.Nodes) != 3 || len(overview.Unreachable) != 0 || overview.Nodes[0].ID != "n1" || !overview.Nodes[0].Self || !overview.Nodes[2].Alive {
		t.Errorf("%+v", overview)
	}
	var list struct {
		Tenants []struct {
			ID                            string `json:"external_id"`
			Connections, Channels, Topics int
		}
	}
	n[1].await("the users of all nodes", func() bool {
		n[1].learn("GET", "/tenants", "", &list)
		return list.Tenants[0].Connections == 4
	})
	if first := list.Tenants[0]; first.ID != "acme" || first.Channels != 4 || first.Topics != 2 {
		t.Errorf("%+v", list)
	}
	var topics struct {
		Total  int
		Topics []struct {
			Topic                string
			Listeners, Presences int
		}
	}
	n[1].learn("GET", "/tenants/acme/topics", "", &topics)
	if topics.Total != 2 || topics.Topics[0].Topic != "t" || topics.Topics[0].Listeners != 3 || topics.Topics[0].Presences != 1 || topics.Topics[1].Listeners != 1 {
		t.Errorf("%+v", topics)
	}
	var topic topicAnswer
	n[1].learn("GET", "/tenants/acme/topics/t", "", &topic)
	if topic.Total != 3 || len(topic.Members) != 3 || len(topic.Presence["ann"]) != 1 || topic.Presence["ann"][0]["at"] != "work" {
		t.Errorf("%+v", topic)
	}
	for _, m := range topic.Members {
		if m.Node != "n2" {
			continue
		}
		var kicked struct{ Disconnected int }
		n[1].learn("POST", "/tenants/acme/kick", `{"topic":"t","ref":"`+m.Ref+`"}`, &kicked)
		if kicked.Disconnected != 1 || m.Sub != "cid" || m.Role != "anon" {
			t.Errorf("%+v was thrown out, which was done to %d", m, kicked.Disconnected)
		}
	}
	for !strings.Contains(string(n[2].client("cid").next().payload), "phx_close") {
	}
	n[1].learn("GET", "/tenants/acme/topics/t", "", &topic)
	if topic.Total != 2 {
		t.Errorf("%d are left", topic.Total)
	}
	var live strings.Builder
	answer := n[1].administer("GET", "/live?tenant=acme", "")
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() && !strings.Contains(live.String(), "event: tenant") {
		fmt.Fprintln(&live, lines.Text())
	}
	if !strings.Contains(live.String(), `"unreachable":[]`) {
		t.Errorf("live tells %s", live.String())
	}
}

func TestAnOperatorSeesTheMessagesOfAllNodesOnce(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, withConsole)
	n[1].connect("ann", "sub=ann")
	ann := n[1].client("ann")
	ann.join("t")
	bob := n[2].join("bob", "t")
	hear(ann, bob)
	hear(bob, ann)
	// From a node where nobody listens, and from one where somebody does.
	far, near := n[0].lookInto("t/live"), n[1].lookInto("t/live")
	heard := func(seen <-chan sighting, event string) bool {
		for {
			select {
			case s := <-seen:
				if s.Event == event {
					return true
				}
			default:
				return false
			}
		}
	}
	for i := range 2 { // until the other nodes know that messages are wanted there
		from, name := []*speaker{ann, bob}[i], fmt.Sprint("hello", i)
		farHeard, nearHeard := false, false
		n[0].await("messages to be wanted", func() bool {
			from.send(`["1",null,"realtime:t","broadcast",{"type":"broadcast","event":"` + name + `"}]`)
			farHeard, nearHeard = farHeard || heard(far, name), nearHeard || heard(near, name)
			return farHeard && nearHeard
		})
	}
	const messages = 50
	for i := range messages {
		for name, from := range map[string]*speaker{"ann": ann, "bob": bob} {
			from.send(fmt.Sprintf(`["1",null,"realtime:t","broadcast",{"type":"broadcast","event":"%s-%d","payload":{"n":%d}}]`, name, i, i))
		}
	}
	for which, seen := range map[string]<-chan sighting{"far": far, "near": near} {
		next := map[string]int{}
		for next["ann"]+next["bob"] < 2*messages {
			s := <-seen
			name, number, counted := strings.Cut(s.Event, "-")
			if !counted {
				continue
			}
			if number != fmt.Sprint(next[name]) || string(s.Payload) != `{"n":`+number+`}` {
				t.Fatalf("%s saw %s of %s with %s after %d", which, number, name, s.Payload, next[name])
			}
			next[name]++
			if which == "near" && name == "ann" && (s.From == nil || *s.From != "ann" || s.Node == nil || *s.Node != "n1") {
				t.Errorf("the sender is not known: %+v", s)
			}
		}
	}
	var topic topicAnswer
	n[0].learn("GET", "/tenants/acme/topics/t", "", &topic)
	if topic.Listeners != 2 {
		t.Errorf("those who look are among the %d who listen", topic.Listeners)
	}
}

func TestAnOperatorSeesChangesAndMessagesOfTheDatabaseOnce(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := consoleOf(t, dsn)
	db.do(`CREATE TABLE public.notes (id int PRIMARY KEY, text text); GRANT SELECT ON public.notes TO anon;
		ALTER PUBLICATION supabase_realtime ADD TABLE public.notes`)
	field := databaseField(t, dsn, nil)
	n := severalNodes(t, 3, func(s *script) {
		withConsole(s)
		s.fields = append(s.fields, field)
	})
	for i, name := range []string{"ann", "bob"} { // nobody on n0
		n[i+1].connect(name, "")
		c := n[i+1].client(name)
		c.send(`["1","1","realtime:t","phx_join",{"config":{"broadcast":{"replication_ready":true},"postgres_changes":[{"event":"*","schema":"public","table":"notes"}]}}]`)
		awaitTexts(c, "Subscribed to PostgreSQL", "Replication connection established")
	}
	seen := n[0].lookInto("t/live")
	count := 0
	// The other nodes learn of the look a moment later.
	n[0].await("changes to be seen", func() bool {
		count++
		db.do(`INSERT INTO public.notes VALUES ($1, 'early')`, -count)
		select {
		case <-seen:
			return true
		default:
			return false
		}
	})
	const changes = 20
	for i := range changes {
		db.do(`INSERT INTO public.notes VALUES ($1, 'note')`, i+1)
		db.do(`SELECT realtime.send(jsonb_build_object('n', $1::int), 'sent', 't', false)`, i+1)
	}
	rows, sent := 0, 0
	for rows < changes || sent < changes {
		s := <-seen
		switch {
		case s.Kind == "postgres_changes" && s.Event == "INSERT" && strings.Contains(string(s.Payload), `"note"`):
			if rows++; !strings.Contains(string(s.Payload), fmt.Sprintf(`"id":%d,`, rows)) {
				t.Fatalf("change %d is %s", rows, s.Payload)
			}
		case s.Kind == "broadcast" && s.Event == "sent":
			if sent++; !strings.Contains(string(s.Payload), fmt.Sprint(sent)) {
				t.Fatalf("message %d is %s", sent, s.Payload)
			}
		}
	}
	var detail struct {
		Feed struct {
			State string
			Lag   *int64 `json:"lag_bytes"`
		}
		Slots  []struct{ Ours, Active bool }
		Health struct{ Healthy bool }
	}
	n[0].learn("GET", "/tenants/acme", "", &detail)
	if detail.Feed.State != "live" || detail.Feed.Lag == nil || len(detail.Slots) != 1 || !detail.Slots[0].Active || !detail.Slots[0].Ours || !detail.Health.Healthy {
		t.Errorf("%+v", detail)
	}
	var checks struct {
		Checks []struct{ Name, Status string }
	}
	n[0].learn("GET", "/doctor?tenant=acme", "", &checks)
	if len(checks.Checks) < 10 || checks.Checks[0].Status != "ok" {
		t.Errorf("%+v", checks)
	}
}

// awaitTexts reads until each text has come.
func awaitTexts(c *speaker, texts ...string) {
	missing := map[string]bool{}
	for _, text := range texts {
		missing[text] = true
	}
	for len(missing) > 0 {
		got := string(c.next().payload)
		for text := range missing {
			if strings.Contains(got, text) {
				delete(missing, text)
			}
		}
	}
}

func TestAConsoleThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	for why, a := range map[string]Admin{
		"a name without password": {User: "root"},
		"a password without name": {Password: "right"},
		"a name with a colon":     {User: "a:b", Password: "right"},
		"an address of nobody":    {TenantURL: "https://example.com"},
	} {
		if _, err := New(Config{DevTenant: "dev", DevSecret: testSecret, Admin: a}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "DASHBOARD_") {
			t.Errorf("%s: %v", why, err)
		}
	}
}
