package phoenix_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// seeds calls add with each frame of the golden files.
func seeds(f *testing.F, add func(v phoenix.Version, text bool, data []byte)) {
	f.Helper()
	for _, file := range []string{"testdata/decode.txt", "testdata/decode_server.txt"} {
		all, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(all)) {
			if in, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "> "); ok {
				add(input(&testing.T{}, in))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	seeds(f, func(v phoenix.Version, text bool, data []byte) { f.Add(v == phoenix.V2, text, data) })
	f.Fuzz(func(t *testing.T, v2, text bool, data []byte) {
		v := phoenix.V1
		if v2 {
			v = phoenix.V2
		}
		got, err := phoenix.Decode(v, text, data)
		if err != nil {
			return
		}
		var again []byte
		ok := true
		switch got.Kind {
		case phoenix.Text:
			if !json.Valid(data) {
				t.Fatalf("%q is not JSON, but decodes", data)
			}
			again = phoenix.AppendClient(nil, v, &got)
			text = true
		case phoenix.Push:
			again, ok = phoenix.AppendBinaryPush(nil, &got)
		case phoenix.UserBroadcast:
			again, ok = phoenix.AppendUserBroadcast(nil, &got)
		}
		if !ok {
			t.Fatalf("%+v cannot be encoded", got)
		}
		if back, err := phoenix.Decode(v, text, again); err != nil || !same(got, back) {
			t.Fatalf("%+v, encoded as %q, became %+v, %v", got, again, back, err)
		}
	})
}

func FuzzDecodeServer(f *testing.F) {
	seeds(f, func(v phoenix.Version, text bool, data []byte) { f.Add(v == phoenix.V2, text, data) })
	f.Fuzz(func(t *testing.T, v2, text bool, data []byte) {
		v := phoenix.V1
		if v2 {
			v = phoenix.V2
		}
		got, err := phoenix.DecodeServer(v, text, data)
		if err == nil && len(got.Meta) > 0 && !json.Valid(got.Meta) {
			t.Fatalf("metadata %q is not JSON", got.Meta)
		}
	})
}

// Valid differs from json.Valid in two things only: depth and UTF-8.
func FuzzValid(f *testing.F) {
	seeds(f, func(_ phoenix.Version, text bool, data []byte) {
		if text {
			f.Add(data)
		}
	})
	f.Add([]byte(strings.Repeat("[", 513) + strings.Repeat("]", 513)))
	f.Add([]byte("\"\xff\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		want := json.Valid(data) && utf8.Valid(data) && depth(data) <= phoenix.MaxDepth
		if got := phoenix.Valid(data); got != want {
			t.Fatalf("Valid(%q) = %v", data, got)
		}
		if got := phoenix.Object(data); got != (want && bytes.TrimSpace(data)[0] == '{') {
			t.Fatalf("Object(%q) = %v", data, got)
		}
	})
}

// depth returns how deep brackets are nested in the valid JSON data.
func depth(data []byte) (deepest int) {
	now, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

// Members and Lookup find what encoding/json finds.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : 1 , "b" : [ { } ] , "a" : "x" } `, `{"\u0061":1,"\ud800":2,"é":{"a":{}}}`, `[]`, `{"a":1,`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]string{}
		for key, value := range phoenix.Members(data) {
			got[key] = string(value)
		}
		for range phoenix.Elements(data) {
			continue
		}
		if !phoenix.Object(data) {
			return // it must not panic, that is all
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q has members %q, encoding/json finds %q", data, got, want)
		}
		for key, value := range want {
			if got[key] != string(value) {
				t.Fatalf("%q is %q in Members, %q in encoding/json", key, got[key], value)
			}
			if raw, ok := phoenix.Lookup(data, key); !ok || string(raw) != string(value) {
				t.Fatalf("Lookup(%q) = %q, %v", key, raw, ok)
			}
		}
	})
}
