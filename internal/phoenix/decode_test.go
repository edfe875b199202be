package phoenix_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

var update = flag.Bool("update", false, "rewrite the golden files with what the code does now")

// TestDecode reads testdata/decode.txt: blocks of a sentence (#), a frame (>)
// and what it decodes to (=). In a frame of bytes, two hex digits are a byte
// and anything in quotes is text.
func TestDecode(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/decode.txt", func(line string) string {
		f, err := phoenix.Decode(input(t, line))
		if err != nil {
			return failure(t, err)
		}
		out := fmt.Sprintf("%s join_ref=%s ref=%s topic=%q event=%q",
			[]string{"text", "push", "user broadcast"}[f.Kind], ref(f.JoinRef), ref(f.Ref), f.Topic, f.Event)
		if f.Kind == phoenix.UserBroadcast {
			out += fmt.Sprintf(" user_event=%q encoding=%d", f.UserEvent, f.Encoding)
		}
		return out + " payload=" + printable(f.Payload)
	})
}

func TestDecodeServer(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/decode_server.txt", func(line string) string {
		f, err := phoenix.DecodeServer(input(t, line))
		if err != nil {
			return failure(t, err)
		}
		out := fmt.Sprintf("%s join_ref=%s ref=%s topic=%q event=%q",
			[]string{"text", "push", "user broadcast"}[f.Kind], ref(f.JoinRef), ref(f.Ref), f.Topic, f.Event)
		if f.Kind == phoenix.UserBroadcast {
			out += fmt.Sprintf(" user_event=%q encoding=%d meta=%s", f.UserEvent, f.Encoding, f.Meta)
		}
		return out + " payload=" + printable(f.Payload)
	})
}

// golden runs what stands behind "> " in each line of a file through do, and
// compares with the line behind it, which begins with "= ".
func golden(t *testing.T, file string, do func(line string) string) {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var now strings.Builder
	sentence := ""
	for line := range strings.Lines(string(old)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "= "):
			continue
		case strings.HasPrefix(line, "# "):
			sentence = line[2:]
		}
		now.WriteString(line + "\n")
		if in, ok := strings.CutPrefix(line, "> "); ok {
			got := "= " + do(in) + "\n"
			now.WriteString(got)
			if !*update && !strings.Contains(string(old), line+"\n"+got) {
				t.Errorf("%s\n> %s\ngot %swanted what %s says", sentence, in, got, file)
			}
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// input reads "v1 text", "v2 text" and the text as it is, or "v2 bytes" and hex.
func input(t *testing.T, line string) (v phoenix.Version, text bool, data []byte) {
	t.Helper()
	version, rest, _ := strings.Cut(line, " ")
	form, rest, _ := strings.Cut(rest, " ")
	v = map[string]phoenix.Version{"v1": phoenix.V1, "v2": phoenix.V2}[version]
	switch form {
	case "text":
		return v, true, []byte(rest)
	case "bytes":
		return v, false, unhex(t, rest)
	}
	t.Fatalf("no such form of input: %q", line)
	return 0, false, nil
}

// unhex reads hex bytes and Go strings, with spaces between them.
func unhex(t *testing.T, s string) (out []byte) {
	t.Helper()
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if quoted, err := strconv.QuotedPrefix(s); err == nil {
			text, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatal(err)
			}
			out, s = append(out, text...), s[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(s, " ")
		b, err := strconv.ParseUint(word, 16, 8)
		if err != nil {
			t.Fatalf("neither a hex byte nor a string: %q", word)
		}
		out, s = append(out, byte(b)), rest
	}
	return out
}

func failure(t *testing.T, err error) string {
	t.Helper()
	if _, ok := errors.AsType[*phoenix.MalformedError](err); !ok {
		t.Errorf("%v is not a MalformedError", err)
	}
	return err.Error()
}

func ref(r phoenix.Ref) string {
	if r == nil {
		return "nil"
	}
	return string(r)
}

// printable returns b as it is if it is plain text, else quoted.
func printable(b []byte) string {
	if q := strconv.Quote(string(b)); strings.Contains(q, `\x`) {
		return q
	}
	return string(bytes.TrimSpace(b))
}

func TestDecodeOfHugeInput(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, tt := range map[string]struct {
		in string
		ok bool
	}{
		"a ref of 255 bytes is kept":             {in: `[null,"` + strings.Repeat("1", 255) + `","t","e",{}]`, ok: true},
		"a ref of 256 bytes is refused":          {in: `[null,"` + strings.Repeat("1", 256) + `","t","e",{}]`},
		"a join ref of 256 bytes is refused":     {in: `["` + strings.Repeat("1", 256) + `",null,"t","e",{}]`},
		"a payload nested 511 deep is read":      {in: `[null,null,"t","e",` + deep(511) + `]`, ok: true},
		"a frame nested deeper than 512 is not":  {in: `[null,null,"t","e",` + deep(512) + `]`},
		"what is ignored may not be deep either": {in: `[null,null,"t","e",{},` + deep(512) + `]`},
		"a million open brackets do no harm":     {in: strings.Repeat("[", 1_000_000)},
		"a million open objects do no harm":      {in: strings.Repeat(`{"a":`, 1_000_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := phoenix.Decode(phoenix.V2, true, []byte(tt.in)); (err == nil) != tt.ok {
				t.Errorf("error = %v", err)
			}
		})
	}
}
