package load

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// lateLimit is the delay in milliseconds from which a load generator's own
// lateness makes its figures doubtful.
const lateLimit = 20

// Print writes the report for people.
func (r *Report) Print(out io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("load", "%s on %s, %s of %s connections joined", r.Kind, r.URL, number(r.Joined), number(r.Connections))
	if r.Interrupted {
		line("", "stopped early: these are the figures so far")
	}
	if r.Connect.Count > 0 {
		line("connect", "%s", r.Connect)
	}
	if r.Heartbeats.Count > 0 {
		line("heartbeat", "%s", r.Heartbeats)
	}
	r.Messages.print(line, r.Seconds)
	for _, s := range r.Steps {
		s.print(line)
	}
	if r.LateBy.P99 > lateLimit {
		line("warning", "the load generator itself was late by %s: the figures say more about it than about the server", r.LateBy)
	}
	r.Process.print(line)
	for i, f := range r.Failures {
		name := "failures"
		if i > 0 {
			name = ""
		}
		line(name, "%s × %s", number(f.Count), f.Reason)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (m *Messages) print(line func(string, string, ...any), seconds float64) {
	if m == nil {
		return
	}
	line("sent", "%s messages in %.1f s, %s held back because the server did not take them", number(m.Sent), seconds, number(m.HeldBack))
	line("throughput", "%s deliveries/s, %s in all", number(int(m.PerSecond)), number(m.Deliveries))
	line("latency", "%s", m.Latency)
	line("lost", "%s of %s (%s), duplicates %s, out of order %s, strays %s", number(m.Lost), number(m.Expected),
		share(m.Lost, m.Expected), number(m.Duplicates), number(m.Reordered), number(m.Strays))
}

func (s *Step) print(line func(string, string, ...any)) {
	end := "all had seen all after"
	if s.Missing > 0 {
		end = number(s.Missing) + " had not been seen after"
	}
	line(s.Name, "%s %.3f s; %s", end, s.Seconds, s.Seen)
}

func (u *Usage) print(line func(string, string, ...any)) {
	if u == nil {
		return
	}
	line("processor", "%.2f s, %.2f cores busy, %.1f µs per join", u.CPUSeconds, u.Cores, u.MicrosPerJoin)
	if u.MicrosPerDelivery > 0 {
		line("", "%.2f µs per delivery", u.MicrosPerDelivery)
	}
	line("memory", "%.1f MB before, %.1f MB joined, %.1f MB at the end",
		float64(u.RSSBefore)/1e6, float64(u.RSSJoined)/1e6, float64(u.RSSAfter)/1e6)
	if u.BytesPerConnection > 0 { // a server that had clients before uses their memory again
		line("", "%.0f bytes per connection, if the server is fresh", u.BytesPerConnection)
	}
}

// String returns the percentiles for people.
func (s Spread) String() string {
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, p99.9 %s, max %s",
		millis(s.P50), millis(s.P90), millis(s.P99), millis(s.P999), millis(s.Max))
}

// millis writes milliseconds with three digits that matter.
func millis(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

// number writes n with a comma between thousands.
func number(n int) string {
	s := strconv.Itoa(n)
	start := 3
	if n < 0 {
		start = 4
	}
	for i := len(s) - 3; i >= start-2; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func share(part, all int) string {
	if all == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.3g %%", 100*float64(part)/float64(all))
}
