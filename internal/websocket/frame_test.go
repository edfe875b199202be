package websocket

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestHeadersOfEveryLength(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		op     Opcode
		length int
		want   string // hex
	}{
		"an empty text":        {Text, 0, "8100"},
		"a short text":         {Text, 5, "8105"},
		"the longest short":    {Binary, 125, "827d"},
		"the shortest medium":  {Binary, 126, "827e007e"},
		"the longest medium":   {Binary, 65535, "827effff"},
		"the shortest long":    {Binary, 65536, "827f0000000000010000"},
		"the longest accepted": {Text, testLimit, "817f00000000004c4b40"},
		"an empty ping":        {Ping, 0, "8900"},
		"a pong":               {Pong, 125, "8a7d"},
		"a close":              {Close, 2, "8802"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := AppendHeader([]byte("before"), tt.op, tt.length)
			if want := fmt.Sprintf("%x", "before") + tt.want; hex.EncodeToString(got) != want {
				t.Errorf("got %x, want %s", got, want)
			}
		})
	}
}

// The example of RFC 6455, section 5.7.
func TestAMaskedFrame(t *testing.T) {
	t.Parallel()
	got := AppendMasked([]byte{0}, Text, testKey, []byte("Hello"))
	if want := "00" + "818537fa213d" + "7f9f4d5158"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func TestMaskingIsXorWithTheKeyOverAndOver(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "plain")
		key := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "key"))
		want := make([]byte, len(plain))
		for i := range plain {
			want[i] = plain[i] ^ key[i%4]
		}
		got := bytes.Clone(plain)
		if Mask(got, key); !bytes.Equal(got, want) {
			t.Fatalf("masked as %x, want %x", got, want)
		}
		if Mask(got, key); !bytes.Equal(got, plain) {
			t.Fatalf("unmasked as %x, want %x", got, plain)
		}
	})
}

func TestFramesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]Opcode{Text, Binary}).Draw(t, "opcode")
		length := rapid.OneOf(
			rapid.SampledFrom([]int{0, 125, 126, 127, 65535, 65536}), rapid.IntRange(0, 1000),
		).Draw(t, "length")
		payload := bytes.Repeat([]byte{rapid.Byte().Draw(t, "filling")}, length)
		key := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "key"))

		frame := AppendFrame(nil, op, payload)
		sealed := Seal(op, append(bytes.Repeat([]byte{0xAA}, Room), payload...))
		if !bytes.Equal(frame, sealed) {
			t.Fatalf("sealed as %.32x, appended as %.32x", sealed, frame)
		}
		for masked, in := range map[bool][]byte{false: frame, true: AppendMasked(nil, op, key, payload)} {
			h, n, err := ParseHeader(in)
			if err != nil || h.Opcode != op || !h.Final || h.Masked != masked || h.Length != length || n+length != len(in) {
				t.Fatalf("header %+v of %d bytes, %v", h, n, err)
			}
			got := 0
			r := &Reader{Limit: length, Unmasked: !masked}
			err = r.Read(in, func(gotOp Opcode, p []byte) error {
				got++
				if gotOp != op || !bytes.Equal(p, payload) {
					t.Fatalf("%v of %d bytes came back as %v of %d", op, length, gotOp, len(p))
				}
				return nil
			})
			if err != nil || got != 1 {
				t.Fatalf("%d messages and %v", got, err)
			}
		}
	})
}

func TestSealingDoesNotMoveThePayload(t *testing.T) {
	t.Parallel()
	buf := append(make([]byte, Room), "payload"...)
	frame := Seal(Text, buf)
	if &frame[2] != &buf[Room] {
		t.Error("the frame does not alias the buffer")
	}
}

func TestClosesThatTheServerSends(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code   int
		reason string
		want   string
	}{
		"a code":                                  {code: 1000, want: "\x03\xE8"},
		"a code and a reason":                     {code: 1012, reason: "restart", want: "\x03\xF4restart"},
		"no code for one that had none":           {code: 1005, reason: "lost", want: ""},
		"a reason of 123 bytes":                   {code: 1000, reason: strings.Repeat("*", 123), want: "\x03\xE8" + strings.Repeat("*", 123)},
		"a reason of 124 bytes is cut":            {code: 1000, reason: strings.Repeat("*", 124), want: "\x03\xE8" + strings.Repeat("*", 123)},
		"a character is not cut in two":           {code: 1000, reason: strings.Repeat("*", 122) + "ö", want: "\x03\xE8" + strings.Repeat("*", 122)},
		"one of four bytes is not cut in two":     {code: 1000, reason: strings.Repeat("*", 120) + "🎵", want: "\x03\xE8" + strings.Repeat("*", 120)},
		"one that ends at the limit stays":        {code: 1000, reason: strings.Repeat("*", 121) + "öö", want: "\x03\xE8" + strings.Repeat("*", 121) + "ö"},
		"one that ends the reason at it is whole": {code: 1000, reason: strings.Repeat("*", 121) + "ö", want: "\x03\xE8" + strings.Repeat("*", 121) + "ö"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := AppendClose(nil, tt.code, tt.reason)
			if string(got) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if c, reason, err := ParseClose(got); err != nil || c != tt.code || !strings.HasPrefix(tt.reason, reason) {
				t.Errorf("it reads as %d %q, %v", c, reason, err)
			}
		})
	}
}

func TestAnyCloseThatIsSentCanBeRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		reason := rapid.StringN(0, 200, 600).Draw(t, "reason")
		got := AppendClose(nil, CodeNormal, reason)
		_, back, err := ParseClose(got)
		if err != nil || len(got) > 125 || !strings.HasPrefix(reason, back) {
			t.Fatalf("%q of %d bytes, %v", back, len(got), err)
		}
		if lost := len(reason) - len(back); lost > 0 && len(back) <= 123-utf8.UTFMax {
			t.Fatalf("%d bytes were cut off, with room for %d", lost, 123-len(back))
		}
	})
}

// The example of RFC 6455, section 1.3.
func TestAccept(t *testing.T) {
	t.Parallel()
	if got, want := Accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key  string
		want bool
	}{
		"sixteen bytes":   {"dGhlIHNhbXBsZSBub25jZQ==", true},
		"none":            {"", false},
		"fifteen bytes":   {"dGhlIHNhbXBsZSBub25j", false},
		"seventeen bytes": {"dGhlIHNhbXBsZSBub25jZSE=", false},
		"not base64":      {"not a key, but as long!!", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ValidKey(tt.key); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestAnErrorSaysCodeAndReason(t *testing.T) {
	t.Parallel()
	if got, want := (&CloseError{CodeTooBig, "too much"}).Error(), "websocket: close 1009: too much"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
