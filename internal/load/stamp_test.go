package load

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAStampComesBackFromAnyEnvelope(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := stamp{
			sender: rapid.Uint32().Draw(t, "sender"),
			number: rapid.Uint32().Draw(t, "number"),
			sent:   time.Duration(rapid.Int64Min(0).Draw(t, "sent")),
		}
		size := rapid.IntRange(MinSize, 2000).Draw(t, "size")
		payload := newPayload(size)
		want.put(payload)
		if len(payload) != size || !json.Valid(payload) {
			t.Fatalf("%d bytes, want %d of JSON: %s", len(payload), size, payload)
		}
		envelope := append([]byte(rapid.String().Draw(t, "before")), payload...)
		if got, ok := findStamp(envelope); !ok || got != want {
			t.Fatalf("findStamp = %+v, %v, want %+v", got, ok, want)
		}
	})
}

func FuzzFindStamp(f *testing.F) {
	whole := newPayload(MinSize)
	f.Add(whole)
	f.Add(whole[:len(whole)-20])
	f.Add([]byte(`{"stamp":"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, ok := findStamp(data); ok && s.sent < 0 {
			t.Skip() // a time that nobody sent, but no panic
		}
	})
}
