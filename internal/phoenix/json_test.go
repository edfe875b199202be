package phoenix_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

func TestValid(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in            string
		valid, object bool
	}{
		"an object":                          {in: ` {"a":[1,-0.5e-3,true,false,null,"\u00e9"]} `, valid: true, object: true},
		"an empty object":                    {in: `{ }`, valid: true, object: true},
		"an array":                           {in: `[]`, valid: true},
		"a number":                           {in: `-0`, valid: true},
		"nothing":                            {in: ``},
		"two values":                         {in: `{} {}`},
		"a zero byte":                        {in: "{}\x00"},
		"a zero byte in a string":            {in: "{\"a\":\"\x00\"}"},
		"a long string":                      {in: `"0123456789abcdefé0123456789"`, valid: true},
		"bytes that are not UTF-8":           {in: "{\"a\":\"\xff\"}"},
		"half a character at the end":        {in: "\"abc\xc3\""},
		"half a surrogate pair as an escape": {in: `["\ud800"]`, valid: true},
		"a surrogate as UTF-8":               {in: "\"\xed\xa0\x80\""},
		"a cut word":                         {in: `tru`},
		"an escape cut off":                  {in: `"\u12`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := phoenix.Valid([]byte(tt.in)); got != tt.valid {
				t.Errorf("Valid = %v", got)
			}
			if got := phoenix.Object([]byte(tt.in)); got != tt.object {
				t.Errorf("Object = %v", got)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ obj, want string }{
		"a value is raw and trimmed":      {obj: `{ "other" : 1 , "key" : { "a" : [ 1 ] } }`, want: `{ "a" : [ 1 ] }`},
		"of two the last one counts":      {obj: `{"key":1,"key":2}`, want: `2`},
		"a key may be escaped":            {obj: `{"\u006bey":3}`, want: `3`},
		"null is there":                   {obj: `{"key":null}`, want: `null`},
		"inner keys are not looked at":    {obj: `{"a":{"key":1}}`},
		"an array has no keys":            {obj: `["key",1]`},
		"no bytes have no keys":           {obj: ``},
		"what stands before a fault is":   {obj: `{"key":1,nope`, want: `1`},
		"what stands after a fault isn't": {obj: `{"a":nope,"key":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := phoenix.Lookup([]byte(tt.obj), "key")
			if string(got) != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func TestMembersAndElements(t *testing.T) {
	t.Parallel()
	var got []string
	for key, value := range phoenix.Members([]byte(` {"a": 1 ,"\u0062":[2],"a":"c"} `)) {
		got = append(got, key+"="+string(value))
	}
	if want := []string{"a=1", "b=[2]", `a="c"`}; !slices.Equal(got, want) {
		t.Errorf("members are %q", got)
	}
	got = nil
	for value := range phoenix.Elements([]byte(` [ 1 , {"a":2} , "c" ] `)) {
		got = append(got, string(value))
	}
	if want := []string{"1", `{"a":2}`, `"c"`}; !slices.Equal(got, want) {
		t.Errorf("elements are %q", got)
	}
	for range phoenix.Elements([]byte(`{}`)) {
		t.Error("an object has elements")
	}
	for range phoenix.Members([]byte(`[]`)) {
		t.Error("an array has members")
	}
	for key := range phoenix.Members([]byte(`{"a":1,"b":2}`)) {
		if key == "b" {
			t.Error("the walk goes on after a break")
		}
		break
	}
}

func TestUnquote(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u0000\u00E9"`: "\x00é",
		`"\ud83d\ude00"`: "😀", `"\ud83d"`: "\ufffd", `"\ud83d\ud83d\ude00"`: "\ufffd😀", `"\ude00\n"`: "\ufffd\n",
	} {
		if got, ok := phoenix.Unquote([]byte(raw)); got != want || !ok {
			t.Errorf("Unquote(%s) = %q, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{``, `"`, `1`, `null`, ` "a"`, `"a" `, `"a"b"`, `"\"`, "\"\xff\""} {
		if got, ok := phoenix.Unquote([]byte(raw)); got != "" || ok {
			t.Errorf("Unquote(%s) = %q, %v", raw, got, ok)
		}
	}
}

// Any string comes back from its JSON, and encoding/json reads the same.
func TestStringsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string {
			return string(b)
		})).Draw(t, "s")
		raw := phoenix.AppendString(nil, s)
		var theirs string
		if err := json.Unmarshal(raw, &theirs); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		ours, ok := phoenix.Unquote(raw)
		if want := string([]rune(s)); !ok || ours != want || theirs != want {
			t.Fatalf("%q became %q, %v; for encoding/json it is %q", s, ours, ok, theirs)
		}
	})
}

// Whatever a client can say in text is understood as it was meant, in both
// versions, and what it says has the same meaning for encoding/json.
func TestFramesComeBack(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-zé"\\/:\n]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		f := phoenix.Frame{
			JoinRef: rapid.SampledFrom([]phoenix.Ref{nil, one, phoenix.Ref("12")}).Draw(t, "join ref"),
			Ref:     rapid.SampledFrom([]phoenix.Ref{nil, one, phoenix.Ref("12")}).Draw(t, "ref"),
			Topic:   []byte(text.Draw(t, "topic")),
			Event:   text.Draw(t, "event"),
			Payload: []byte(rapid.SampledFrom([]string{`{}`, `{"a":[1, 2]}`, `null`, `"x"`}).Draw(t, "payload")),
		}
		for _, v := range []phoenix.Version{phoenix.V1, phoenix.V2} {
			data := phoenix.AppendClient(nil, v, &f)
			got, err := phoenix.Decode(v, true, data)
			if err != nil || !same(got, f) {
				t.Fatalf("%s became %+v, %v", data, got, err)
			}
		}
	})
}

func same(a, b phoenix.Frame) bool {
	return a.Kind == b.Kind && bytes.Equal(a.JoinRef, b.JoinRef) && bytes.Equal(a.Ref, b.Ref) &&
		(a.JoinRef == nil) == (b.JoinRef == nil) && (a.Ref == nil) == (b.Ref == nil) &&
		bytes.Equal(a.Topic, b.Topic) && a.Event == b.Event && bytes.Equal(a.Payload, b.Payload) &&
		a.UserEvent == b.UserEvent && a.Encoding == b.Encoding
}
