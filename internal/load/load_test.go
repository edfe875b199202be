package load

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// quick is a load of a fraction of a second.
func quick(kind, url string) Command {
	return Command{
		Kind: kind, URL: url, Key: "k", Connections: 20, Rooms: 3, Members: 4,
		Rate: 100, Duration: 200 * time.Millisecond, ConnectRate: 10_000,
	}
}

func TestBroadcastsAreCounted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Command)
		secure bool
		heard  int // receivers of a message
	}{
		"fanout in binary frames":               {change: func(*Command) {}, heard: 20},
		"fanout in text frames":                 {change: func(c *Command) { c.Text = true }, heard: 20},
		"fanout in version 1":                   {change: func(c *Command) { c.VSN = "1.0.0" }, heard: 20},
		"fanout in bursts":                      {change: func(c *Command) { c.Burst = 5 }, heard: 20},
		"fanout of messages longer than a read": {change: func(c *Command) { c.Size, c.Rate, c.Connections = 300_000, 10, 2 }, heard: 2},
		"rooms":                                 {change: func(c *Command) { c.Kind = Rooms }, heard: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := (&server{t: t}).start()
			c := quick(Fanout, s.address)
			tt.change(&c)
			report, err := c.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m := report.Messages
			if m.Sent == 0 || m.Expected != m.Sent*tt.heard || m.Deliveries != m.Expected || m.Lost+m.Duplicates+m.Reordered+m.Strays != 0 {
				t.Errorf("messages: %+v", m)
			}
			if m.Latency.Count != uint64(m.Deliveries) || m.Latency.P50 <= 0 || m.PerSecond*report.Seconds > float64(m.Deliveries)+1 {
				t.Errorf("messages: %+v", m)
			}
			if len(report.Failures) != 0 || report.Joined != report.Connections || report.Connect.Count != uint64(report.Joined) {
				t.Errorf("report: %+v", report)
			}
		})
	}
}

func TestLossesAndDuplicatesAreCounted(t *testing.T) {
	t.Parallel()
	s := (&server{t: t, tamper: func(n int) int {
		return map[int]int{3: 0, 4: 0, 7: 2}[n%10] + btoi(n%10 != 3 && n%10 != 4 && n%10 != 7)
	}}).start()
	c := quick(Fanout, s.address)
	report, err := c.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := report.Messages
	if m.Lost != m.Expected/5 || m.Duplicates != m.Expected/10 || m.Deliveries+m.Lost != m.Expected {
		t.Errorf("messages: %+v", m)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestPresenceEndsWhenAllHaveSeenAll(t *testing.T) {
	t.Parallel()
	s := (&server{t: t}).start()
	c := quick(Presence, s.address)
	c.Duration = 10 * time.Second
	report, err := c.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Steps) != 3 {
		t.Fatalf("steps: %+v", report.Steps)
	}
	for _, step := range report.Steps {
		if step.Missing != 0 || step.Seen.Count != 20*20 || step.Seconds <= 0 || step.Seconds > 9 {
			t.Errorf("step: %+v", step)
		}
	}
}

func TestPresenceGivesAStepUp(t *testing.T) {
	t.Parallel()
	s := (&server{t: t, refuse: func(int) string { return "" }}).start()
	c := quick(Presence, s.address)
	c.Duration = 10 * time.Millisecond
	c.Connections = 300
	report, err := c.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Steps[0].Missing == 0 {
		t.Skip("90,000 sightings in 10 ms: this machine is too fast for the test")
	}
	if s := report.Steps[0]; s.Missing+int(s.Seen.Count) != 300*300 {
		t.Errorf("step: %+v", s)
	}
}

func TestRefusalsAreToldInTheServersWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		server  *server
		url     string
		want    string
		failing bool
	}{
		"the first handshake ends the run": {server: &server{refuse: func(int) string { return "API key is missing" }}, want: "1 × handshake refused: 401 API key is missing", failing: true},
		"later ones are counted":           {server: &server{refuse: func(n int) string { return strings.Repeat("Full", btoi(n > 5)) }}, want: "15 × handshake refused: 401 Full"},
		"nobody listens":                   {url: "http://127.0.0.1:1", want: "1 × connect: connection refused", failing: true},
		"a system message that is an error": {server: &server{onJoin: func() string {
			return `[null,null,"t","system",{"status":"error","message":"Too many messages per second"}]`
		}}, want: "20 × system message: Too many messages per second"},
		"a channel that is closed": {server: &server{onJoin: afterTheFirst(`["1","1","t","phx_close",{}]`)}, want: "19 × channel closed by the server (phx_close)"},
		"an error reply":           {server: &server{onJoin: func() string { return `["1","7","t","phx_reply",{"status":"error","response":{"reason":"no"}}]` }}, want: "20 × error reply: no"},
		"what is no message":       {server: &server{onJoin: func() string { return `{` }}, want: "20 × the server sent what is no message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := tt.url
			if url == "" {
				tt.server.t = t
				url = tt.server.start().address
			}
			c := quick(Idle, url)
			c.Duration = 20 * time.Millisecond
			var b bytes.Buffer
			err := c.Run(t.Context(), &b)
			if (err != nil) != tt.failing || !strings.Contains(b.String(), tt.want) {
				t.Errorf("error %v, want %q in:\n%s", err, tt.want, &b)
			}
		})
	}
}

// afterTheFirst returns what is said to all who join but the first.
func afterTheFirst(frame string) func() string {
	n := 0
	return func() string {
		n++
		if n == 1 {
			return `["1",null,"t","system",{"status":"ok","message":"welcome"}]`
		}
		return frame
	}
}

func TestStreamsDoTheSame(t *testing.T) {
	t.Parallel()
	s := (&server{t: t}).start()
	c := quick(Rooms, s.address)
	settings := c.withDefaults()
	to, err := parseTarget(c.URL, c.Key, settings.VSN)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(&settings, to, process{})
	if err != nil {
		t.Fatal(err)
	}
	r.poller.close()
	r.poller = newStreams(r)
	defer r.close()
	report, err := r.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m := report.Messages; m.Deliveries == 0 || m.Lost != 0 {
		t.Errorf("messages: %+v", m)
	}
}

func TestACertificateThatIsNotTrustedIsSaidSo(t *testing.T) {
	t.Parallel()
	s := (&server{t: t, secure: true}).start()
	c := quick(Idle, s.address)
	_, err := c.Measure(t.Context())
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error: %v", err)
	}
}

func TestItStopsWhenAskedTo(t *testing.T) {
	t.Parallel()
	s := (&server{t: t}).start()
	c := quick(Fanout, s.address)
	c.Duration = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	report, err := c.Measure(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Interrupted || report.Messages.Deliveries == 0 || report.Messages.Lost != 0 {
		t.Errorf("messages: %+v", report.Messages)
	}
}

func TestTheServersProcessIsMeasured(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	s := (&server{t: t}).start()
	c := quick(Fanout, s.address)
	c.PID, c.JSON, c.Progress = os.Getpid(), true, &bytes.Buffer{}
	var b bytes.Buffer
	if err := c.Run(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(b.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Process == nil || report.Process.RSSAfter < 1<<20 {
		t.Errorf("process: %+v", report.Process)
	}
	if line := c.Progress.(*bytes.Buffer).String(); !strings.Contains(line, "of 21 joined") || !strings.HasSuffix(line, "\x1b[K") {
		t.Errorf("progress: %q", line)
	}
	c.PID = 1 << 30
	if _, err := c.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "--pid 1073741824") {
		t.Errorf("a process that is not there: %v", err)
	}
}
