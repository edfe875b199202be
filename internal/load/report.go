package load

// A Report is what a run found. Times are milliseconds where a name says so.
type Report struct {
	Kind        string `json:"kind"`
	URL         string `json:"url"`
	Connections int    `json:"connections"` // asked for
	Joined      int    `json:"joined"`      // of these, when the measuring began
	Interrupted bool   `json:"interrupted"` // it was stopped before its time

	Connect    Spread  `json:"connect_ms"` // from the first packet to the reply to the join
	Heartbeats Spread  `json:"heartbeat_ms"`
	Seconds    float64 `json:"seconds"` // for which messages were sent, or held

	Messages *Messages `json:"messages,omitempty"` // fanout and rooms
	Steps    []Step    `json:"steps,omitempty"`    // presence
	LateBy   Spread    `json:"late_by_ms"`         // how late the load generator itself sent
	Failures []Failure `json:"failures"`
	Process  *Usage    `json:"process,omitempty"` // with a pid

	spent spent
}

// A Spread says how durations are spread, in milliseconds.
type Spread struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// Messages says what became of broadcasts. Deliveries are counted once for each
// receiver; latency runs from the time at which a message was due.
type Messages struct {
	Sent       int     `json:"sent"`
	HeldBack   int     `json:"held_back"` // due, but the server did not take those before
	Expected   int     `json:"expected"`  // deliveries of what was sent
	Deliveries int     `json:"deliveries"`
	Lost       int     `json:"lost"`
	Duplicates int     `json:"duplicates"`
	Reordered  int     `json:"reordered"`
	Strays     int     `json:"strays"`     // from another room, or the receiver's own
	PerSecond  float64 `json:"per_second"` // deliveries while messages were sent
	Latency    Spread  `json:"latency_ms"`
}

// A Step is one change that every member of a presence room makes.
type Step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"` // until all had seen all, or the step was given up
	Missing int     `json:"missing"` // pairs of members where one did not see the other
	Seen    Spread  `json:"seen_ms"` // from the change to one member's seeing it
}

// A Failure is something that went wrong, in the server's words if it had any.
type Failure struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Usage is what the server process spent. The processor is counted while
// messages are sent and until the last has come.
type Usage struct {
	CPUSeconds         float64 `json:"cpu_seconds"`
	Cores              float64 `json:"cores"` // busy on average
	MicrosPerDelivery  float64 `json:"cpu_micros_per_delivery,omitempty"`
	MicrosPerJoin      float64 `json:"cpu_micros_per_join"` // handshake and join
	RSSBefore          int64   `json:"rss_before"`          // bytes, before the first connection
	RSSJoined          int64   `json:"rss_joined"`          // bytes, when all had joined
	RSSAfter           int64   `json:"rss_after"`           // bytes, at the end
	BytesPerConnection float64 `json:"bytes_per_connection"`
}
