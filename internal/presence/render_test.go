package presence

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const (
	refA = "aaaaaaaaaaaaaaaa"
	refB = "bbbbbbbbbbbbbbbb"
)

func TestAMetaIsTheTrackedObjectAndItsRef(t *testing.T) {
	for name, tt := range map[string]struct{ payload, prev, want string }{
		"a tracked object stands as it came": {
			`{"name":"Ann", "at":1.50}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","name":"Ann", "at":1.50}`},
		"an update names the ref before it": {
			`{"name":"Ann"}`, refB, `{"phx_ref":"aaaaaaaaaaaaaaaa","phx_ref_prev":"bbbbbbbbbbbbbbbb","name":"Ann"}`},
		"an empty object leaves the ref alone":      {`{}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa"}`},
		"blanks around and within are cut":          {" { \n } ", refB, `{"phx_ref":"aaaaaaaaaaaaaaaa","phx_ref_prev":"bbbbbbbbbbbbbbbb"}`},
		"no payload is an empty object":             {``, "", `{"phx_ref":"aaaaaaaaaaaaaaaa"}`},
		"no object is an empty object":              {`[1]`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa"}`},
		"a chosen ref is taken out":                 {`{"phx_ref":"x","a":1}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","a":1}`},
		"a chosen previous ref is taken out":        {`{"a":1,"phx_ref_prev":"x"}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","a":1}`},
		"all of several chosen refs are taken out":  {`{"phx_ref":1,"phx_ref":{"a":[]} , "phx_ref_prev":[]}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa"}`},
		"escapes do not hide a chosen ref":          {`{"a":1,"\u0070hx_re\u0066":"x","b":2}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","a":1,"b":2}`},
		"a ref further down is the user's own":      {`{"a":{"phx_ref":"x"}}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","a":{"phx_ref":"x"}}`},
		"a text that speaks of a ref stays":         {`{"a": "\"phx_ref\":"}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","a": "\"phx_ref\":"}`},
		"names that only begin like a ref stay":     {`{"phx_refs":1}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","phx_refs":1}`},
		"numbers keep their digits next to a strip": {`{"phx_ref":0,"n":1.10e+2}`, "", `{"phx_ref":"aaaaaaaaaaaaaaaa","n":1.10e+2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := members([]byte(tt.payload))
			meta := render(refA, tt.prev, own)
			if string(meta) != tt.want {
				t.Errorf("meta = %s, want %s", meta, tt.want)
			}
			if refOf(meta) != refA || !bytes.Equal(membersOf(meta), own) {
				t.Errorf("read back as ref %s and members %s", refOf(meta), membersOf(meta))
			}
			if cap(meta)-len(meta) > 16 {
				t.Errorf("%d bytes are wasted", cap(meta)-len(meta))
			}
		})
	}
}

func TestRefsAreShortAndDistinct(t *testing.T) {
	seen := make(map[string]bool)
	for range 10_000 {
		ref := newRef()
		if seen[ref] || !regexp.MustCompile(`^[A-Za-z0-9_-]{16}$`).MatchString(ref) {
			t.Fatalf("bad ref %q", ref)
		}
		seen[ref] = true
	}
}

func TestMetasAreGroupedByKey(t *testing.T) {
	for name, tt := range map[string]struct {
		entries []Entry
		want    string
	}{
		"nobody": {nil, `{}`},
		"one":    {[]Entry{entry(1, "ann", `{"n":1}`)}, `{"ann":{"metas":[{"n":1}]}}`},
		"channels of one key share its list, oldest first": {
			[]Entry{entry(1, "bob", `{"n":1}`), entry(2, "ann", `{"n":2}`), entry(3, "bob", `{"n":3}`), entry(4, "bob", `{"n":4}`)},
			`{"bob":{"metas":[{"n":1},{"n":3},{"n":4}]},"ann":{"metas":[{"n":2}]}}`,
		},
		"a key may be any string": {
			[]Entry{entry(1, "a\"\\\n\x00é", `{}`), entry(2, "", `{}`)},
			`{"a\"\\\n\u0000é":{"metas":[{}]},"":{"metas":[{}]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := renderState(tt.entries); string(got) != tt.want {
				t.Errorf("state = %s, want %s", got, tt.want)
			}
			want := `{"joins":` + tt.want + `,"leaves":{}}`
			if got := renderDiff(Diff{Joins: tt.entries}); string(got) != want {
				t.Errorf("diff = %s, want %s", got, want)
			}
		})
	}
}

func FuzzAMetaHasExactlyOneRef(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"Ann"}`, `{"phx_ref":"x"}`, `{"phx_ref_prev":{"phx_ref":1},"a":[{},"}"]}`, ` {"\u0070hx_ref" : null } `,
		`{"a":"\ud800","phx_ref":[[]]}`, "{\"\xff\":1,\"phx_ref\":2}", `{"phx_ref"`, `[`, `{`, `{"a":1,}`, `{"\u0061":1 , "b" : 2}`,
	} {
		f.Add([]byte(seed), "ann", false)
		f.Add([]byte(seed), "\xff\"", true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, key string, update bool) {
		own := members(payload)
		if !json.Valid(payload) {
			return // the caller has checked; here only nothing may panic
		}
		prev := ""
		if update {
			prev = refB
		}
		meta := render(refA, prev, own)
		if !json.Valid(renderState([]Entry{{Key: key, Meta: meta}})) {
			t.Fatalf("%q renders as invalid JSON: %s", payload, meta)
		}
		checkMembers(t, payload, meta, prev)
		if !bytes.Equal(membersOf(meta), own) {
			t.Fatalf("members %q are read back as %q", own, membersOf(meta))
		}
	})
}

// checkMembers compares the meta with the payload member for member.
func checkMembers(t *testing.T, payload, meta []byte, prev string) {
	t.Helper()
	want := []member{{"phx_ref", `"` + refA + `"`}}
	if prev != "" {
		want = append(want, member{"phx_ref_prev", `"` + prev + `"`})
	}
	for _, m := range topLevel(t, payload) {
		if m.name != "phx_ref" && m.name != "phx_ref_prev" {
			want = append(want, m)
		}
	}
	if got := topLevel(t, meta); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q has become %q, want %q", payload, got, want)
	}
}

type member struct{ name, value string }

// topLevel returns the members of an object, none for any other value.
func topLevel(t *testing.T, text []byte) (all []member) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		all = append(all, member{name.(string), strings.Clone(string(value))})
	}
	return all
}
