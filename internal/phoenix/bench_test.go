package phoenix_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// frame300 is a broadcast of some 300 bytes, as a client of a drawing board sends it.
const frame300 = `["12","345","realtime:board:42","broadcast",{"type":"broadcast","event":"stroke",` +
	`"payload":{"id":"5f0c7f3e-8a52-4d0b-9a3e-1f6f2f7c9b11","color":"#ff8800","width":2.5,` +
	`"points":[[10,20],[11,22],[13,25],[16,29],[20,34],[25,40]],"by":"Ann Example","done":false,` +
	`"at":1760000000123,"note":"a stroke on board 42 é"}}]`

// BenchmarkDecode tells how many times faster than encoding/json a frame is
// read, as "x-json".
func BenchmarkDecode(b *testing.B) {
	data := []byte(frame300)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := phoenix.Decode(phoenix.V2, true, data); err != nil {
			b.Fatal(err)
		}
	}
	ours := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(encodingJSON(b, data))/float64(ours), "x-json")
}

// encodingJSON returns how long encoding/json takes for one frame.
func encodingJSON(b *testing.B, data []byte) time.Duration {
	b.Helper()
	const rounds = 20_000
	start := time.Now()
	for range rounds {
		var parts []json.RawMessage
		var topic, event string
		if json.Unmarshal(data, &parts) != nil || json.Unmarshal(parts[2], &topic) != nil ||
			json.Unmarshal(parts[3], &event) != nil {
			b.Fatal("encoding/json does not read the frame")
		}
	}
	return time.Since(start) / rounds
}

func BenchmarkDecodeForms(b *testing.B) {
	payload := []byte(`{"x":1,"y":2,"name":"Ann Example","points":[1,2,3,4,5,6]}`)
	f := &phoenix.Frame{
		JoinRef: one, Ref: phoenix.Ref(`"22"`), Topic: []byte(room), Event: "broadcast",
		UserEvent: "pos", Encoding: phoenix.EncodingJSON, Payload: payload,
	}
	kind3, _ := phoenix.AppendUserBroadcast(nil, f)
	for name, tt := range map[string]struct {
		v    phoenix.Version
		text bool
		data []byte
	}{
		"heartbeat": {v: phoenix.V2, text: true, data: []byte(`[null,"7","phoenix","heartbeat",{}]`)},
		"object":    {v: phoenix.V1, text: true, data: phoenix.AppendClient(nil, phoenix.V1, f)},
		"kind3":     {v: phoenix.V2, data: kind3},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := phoenix.Decode(tt.v, tt.text, tt.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	buf := make([]byte, 0, 1024)
	m := &tutti.Message{
		Topic: tutti.Topic{Name: "room1"}, Form: tutti.JSON, Event: "pos", Payload: []byte(`{"x":1,"y":2}`),
	}
	for name, do := range map[string]func(){
		"reply": func() {
			phoenix.AppendReply(buf, phoenix.V2, phoenix.Reply{JoinRef: one, Ref: one, Topic: room, Status: "ok"})
		},
		"push":               func() { phoenix.AppendPush(buf, phoenix.V2, one, room, "system", m.Payload) },
		"kind4":              func() { phoenix.AppendMessage(buf, phoenix.V2, m) },
		"wrapped":            func() { phoenix.AppendMessage(buf, phoenix.V1, m) },
		"kind4 into nothing": func() { phoenix.AppendMessage(nil, phoenix.V2, m) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}

// The promises of the package about allocations.
func TestAllocations(t *testing.T) {
	text := []byte(frame300)
	object := []byte(`{"a":{"b":1},"c":2}`)
	kind3 := []byte("\x03\x02\x01\x03\x0A\x00\x01101topuser-event" + `{"a":"b"}`)
	buf := make([]byte, 0, 1024)
	m := &tutti.Message{Topic: tutti.Topic{Name: "room1"}, Form: tutti.JSON, Event: "pos", Payload: []byte(`{}`)}
	for name, tt := range map[string]struct {
		most float64
		do   func()
	}{
		"a known event in text costs none":          {most: 0, do: func() { phoenix.Decode(phoenix.V2, true, text) }},
		"a user broadcast costs its event and refs": {most: 2, do: func() { phoenix.Decode(phoenix.V2, false, kind3) }},
		"a lookup costs none":                       {most: 0, do: func() { phoenix.Lookup(object, "c") }},
		"a reply into a buffer costs none": {most: 0, do: func() {
			phoenix.AppendReply(buf, phoenix.V2, phoenix.Reply{JoinRef: one, Ref: one, Topic: room, Status: "ok"})
		}},
		"a fan-out into a buffer costs none": {most: 0, do: func() { phoenix.AppendMessage(buf, phoenix.V1, m) }},
	} {
		if got := testing.AllocsPerRun(100, tt.do); got > tt.most {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
