package websocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// testLimit is the longest message in these tests, the server's own limit.
const testLimit = 5_000_000

// testKey masks what these tests send as a client.
var testKey = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// A piece is a frame as it is sent, lawful or not: its first byte, which is
// FIN, the reserved bits and the opcode, and its payload.
type piece struct {
	first   byte
	payload string
}

// bytes returns the frame, masked or not.
func (p piece) bytes(masked bool) []byte {
	frame := AppendFrame(nil, 0, []byte(p.payload))
	if masked {
		frame = AppendMasked(nil, 0, testKey, []byte(p.payload))
	}
	frame[0] = p.first
	return frame
}

// closing is a close frame's payload.
func closing(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

var opcodeNames = map[Opcode]string{
	Continuation: "continuation", Text: "text", Binary: "binary", Close: "close", Ping: "ping", Pong: "pong",
}

// heard reads pieces of a stream as a server does, up to a close or an error,
// and says what there was in words.
func heard(r *Reader, pieces ...[]byte) (said []string, err error) {
	for _, data := range pieces {
		err = r.Read(slices.Clone(data), func(op Opcode, payload []byte) error {
			if op != Close {
				said = append(said, opcodeNames[op]+" "+string(payload))
				return nil
			}
			code, reason, err := ParseClose(payload)
			if err != nil {
				return err
			}
			said = append(said, fmt.Sprintf("close %d %s", code, reason))
			return io.EOF
		})
		if err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return said, err
}

// singly cuts a stream into single bytes, or into the two thousand smallest
// pieces if it is long.
func singly(b []byte) [][]byte {
	return slices.Collect(slices.Chunk(b, 1+len(b)/2000))
}

// code returns the close code in an error, 0 for none.
func code(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var closed *CloseError
	if !errors.As(err, &closed) {
		t.Fatalf("%v is not a *CloseError", err)
	}
	return closed.Code
}

// A conversation is what is sent, what is heard of it, and the code with which
// the connection must then be closed, 0 when all is well.
type conversation struct {
	in   []piece
	want []string
	code int
}

// converse holds each conversation from either side, with the bytes together,
// frame by frame, and one by one.
func converse(t *testing.T, cases map[string]conversation) {
	t.Helper()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, masked := range []bool{true, false} {
				var all []byte
				var frames [][]byte
				for _, p := range tt.in {
					frames = append(frames, p.bytes(masked))
					all = append(all, p.bytes(masked)...)
				}
				for how, pieces := range map[string][][]byte{
					"together": {all}, "frame by frame": frames, "byte by byte": singly(all),
				} {
					r := &Reader{Limit: testLimit, Unmasked: !masked}
					got, err := heard(r, pieces...)
					if !slices.Equal(got, tt.want) {
						t.Errorf("%s, masked %t: heard %.200q, want %.200q", how, masked, got, tt.want)
					}
					if c := code(t, err); c != tt.code {
						t.Errorf("%s, masked %t: closed with %d (%v), want %d", how, masked, c, err, tt.code)
					}
				}
			}
		})
	}
}

// The numbers in these sentences are those of the Autobahn test suite.

func TestMessages(t *testing.T) {
	t.Parallel()
	cases := map[string]conversation{}
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		payload := strings.Repeat("*", n)
		cases[fmt.Sprintf("1.1.%d a text of %d bytes", i+1, n)] = conversation{
			in: []piece{{0x81, payload}}, want: []string{"text " + payload},
		}
		payload = strings.Repeat("\xFE", n)
		cases[fmt.Sprintf("1.2.%d binary of %d bytes", i+1, n)] = conversation{
			in: []piece{{0x82, payload}}, want: []string{"binary " + payload},
		}
	}
	converse(t, cases)
}

func TestPingsAndPongs(t *testing.T) {
	t.Parallel()
	ten := conversation{}
	for i := range 10 {
		ten.in = append(ten.in, piece{0x89, fmt.Sprint("payload-", i)})
		ten.want = append(ten.want, fmt.Sprint("ping payload-", i))
	}
	long := strings.Repeat("\xFE", 125)
	converse(t, map[string]conversation{
		"2.1 a ping may be empty":                     {in: []piece{{0x89, ""}}, want: []string{"ping "}},
		"2.2 a ping may carry text":                   {in: []piece{{0x89, "Hello, world!"}}, want: []string{"ping Hello, world!"}},
		"2.3 a ping may carry bytes":                  {in: []piece{{0x89, "\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF"}}, want: []string{"ping \x00\xFF\xFE\xFD\xFC\xFB\x00\xFF"}},
		"2.4 a ping may carry 125 bytes":              {in: []piece{{0x89, long}}, want: []string{"ping " + long}},
		"2.5 a ping may not carry 126 bytes":          {in: []piece{{0x89, long + "\xFE"}}, code: 1002},
		"2.5 a pong may not carry 126 bytes":          {in: []piece{{0x8A, long + "\xFE"}}, code: 1002},
		"2.7 a pong that nobody asked for is heard":   {in: []piece{{0x8A, ""}}, want: []string{"pong "}},
		"2.8 and so is its payload":                   {in: []piece{{0x8A, "unsolicited"}}, want: []string{"pong unsolicited"}},
		"2.9 a pong does not hide the ping behind it": {in: []piece{{0x8A, "unsolicited"}, {0x89, "ping"}}, want: []string{"pong unsolicited", "ping ping"}},
		"2.10 ten pings are ten":                      ten,
	})
}

func TestReservedBits(t *testing.T) {
	t.Parallel()
	hello := "Hello, world!"
	converse(t, map[string]conversation{
		"3.1 the third on a text": {in: []piece{{0x91, hello}}, code: 1002},
		"3.2 the second, after a message and before a ping": {
			in: []piece{{0x81, hello}, {0xA1, hello}, {0x89, ""}}, want: []string{"text " + hello}, code: 1002},
		"3.3 two of them, after a message": {
			in: []piece{{0x81, hello}, {0xB1, hello}, {0x89, ""}}, want: []string{"text " + hello}, code: 1002},
		"3.4 the first, which is for compression, that was not agreed on": {
			in: []piece{{0x81, hello}, {0xC1, hello}, {0x89, ""}}, want: []string{"text " + hello}, code: 1002},
		"3.5 on a binary message": {in: []piece{{0xD2, "\x00\xFF"}}, code: 1002},
		"3.6 on a ping":           {in: []piece{{0xE9, hello}}, code: 1002},
		"3.7 all, on a close":     {in: []piece{{0xF8, closing(1000, "")}}, code: 1002},
	})
}

func TestUnknownOpcodes(t *testing.T) {
	t.Parallel()
	cases := map[string]conversation{}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		chapter := "4.1"
		if op > 7 {
			chapter = "4.2"
		}
		cases[fmt.Sprintf("%s opcode %d alone", chapter, op)] = conversation{in: []piece{{0x80 | op, ""}}, code: 1002}
		cases[fmt.Sprintf("%s opcode %d with a payload, after a message", chapter, op)] = conversation{
			in:   []piece{{0x81, "Hello"}, {0x80 | op, "reserved"}, {0x89, ""}},
			want: []string{"text Hello"}, code: 1002,
		}
	}
	converse(t, cases)
}

func TestFragments(t *testing.T) {
	t.Parallel()
	converse(t, map[string]conversation{
		"5.1 a ping may not be one":      {in: []piece{{0x09, "fragment1"}, {0x80, "fragment2"}}, code: 1002},
		"5.2 a pong may not be one":      {in: []piece{{0x0A, "fragment1"}, {0x80, "fragment2"}}, code: 1002},
		"5.2 a close may not be one":     {in: []piece{{0x08, closing(1000, "")}, {0x80, ""}}, code: 1002},
		"5.3 two make a message":         {in: []piece{{0x01, "one "}, {0x80, "two"}}, want: []string{"text one two"}},
		"5.3 two make a binary message":  {in: []piece{{0x02, "one "}, {0x80, "two"}}, want: []string{"binary one two"}},
		"5.6 a ping between is heard":    {in: []piece{{0x01, "one "}, {0x89, "ping"}, {0x80, "two"}}, want: []string{"ping ping", "text one two"}},
		"5.9 a continuation of nothing":  {in: []piece{{0x80, "non-continuation"}, {0x81, "Hello"}}, code: 1002},
		"5.12 one that is not the last":  {in: []piece{{0x00, "non-continuation"}, {0x81, "Hello"}}, code: 1002},
		"5.18 a message inside another":  {in: []piece{{0x01, "one"}, {0x81, "two"}}, code: 1002},
		"5.18 a fragment inside another": {in: []piece{{0x01, "one"}, {0x01, "two"}}, code: 1002},
		"5.15 a continuation after the end, then a message": {
			in:   []piece{{0x01, "one "}, {0x80, "two"}, {0x00, "three"}, {0x81, "four"}},
			want: []string{"text one two"}, code: 1002},
		"5.16 a continuation before every message": {
			in: []piece{{0x00, "one"}, {0x81, "Hello"}, {0x00, "two"}, {0x81, "Hello"}}, code: 1002},
		"5.17 a last continuation before every message": {
			in: []piece{{0x80, "one"}, {0x81, "Hello"}, {0x80, "two"}, {0x81, "Hello"}}, code: 1002},
		"5.19 five make a message, with pings between": {
			in:   []piece{{0x01, "1 "}, {0x00, "2 "}, {0x89, "first"}, {0x00, "3 "}, {0x00, "4 "}, {0x89, "second"}, {0x80, "5"}},
			want: []string{"ping first", "ping second", "text 1 2 3 4 5"}},
		"5.20 one message follows another": {
			in:   []piece{{0x01, "1 "}, {0x80, "2"}, {0x02, "3 "}, {0x80, "4"}, {0x81, "5"}},
			want: []string{"text 1 2", "binary 3 4", "text 5"}},
	})
}

// Text is not checked for UTF-8 here: protocol.md, section 1.5. So what 6.3 to
// 6.21 would have refused arrives as it was sent.
func TestTextIsHandedOnAsItCame(t *testing.T) {
	t.Parallel()
	kosme := "Hello-µ@ßöäüàá-UTF-8!!"
	octets := conversation{want: []string{"text " + kosme}}
	for i := range len(kosme) {
		octets.in = append(octets.in, piece{0x00, kosme[i : i+1]})
	}
	octets.in[0].first = 0x01
	octets.in[len(kosme)-1].first = 0x80
	broken := "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited"
	converse(t, map[string]conversation{
		"6.1.1 an empty text":                   {in: []piece{{0x81, ""}}, want: []string{"text "}},
		"6.1.2 three empty fragments":           {in: []piece{{0x01, ""}, {0x00, ""}, {0x80, ""}}, want: []string{"text "}},
		"6.1.3 of three only the second not so": {in: []piece{{0x01, ""}, {0x00, "middle"}, {0x80, ""}}, want: []string{"text middle"}},
		"6.2.1 in one frame":                    {in: []piece{{0x81, kosme}}, want: []string{"text " + kosme}},
		"6.2.2 cut between characters":          {in: []piece{{0x01, kosme[:8]}, {0x80, kosme[8:]}}, want: []string{"text " + kosme}},
		"6.2.3 cut at every byte":               octets,
		"6.3.1 not UTF-8":                       {in: []piece{{0x81, broken}}, want: []string{"text " + broken}},
		"6.4.1 not UTF-8, in fragments":         {in: []piece{{0x01, broken[:12]}, {0x80, broken[12:]}}, want: []string{"text " + broken}},
	})
}

func TestCloses(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("BAsd7&jh23", 26_000)
	longest := strings.Repeat("*", 123)
	cases := map[string]conversation{
		"7.1.1 after a message":        {in: []piece{{0x81, "Hello World!"}, {0x88, closing(1000, "")}}, want: []string{"text Hello World!", "close 1000 "}},
		"7.1.2 twice":                  {in: []piece{{0x88, closing(1000, "")}, {0x88, closing(1000, "")}}, want: []string{"close 1000 "}},
		"7.1.3 a ping after it":        {in: []piece{{0x88, closing(1000, "")}, {0x89, ""}}, want: []string{"close 1000 "}},
		"7.1.4 a message after it":     {in: []piece{{0x88, closing(1000, "")}, {0x81, "Hello World!"}}, want: []string{"close 1000 "}},
		"7.1.5 inside a message":       {in: []piece{{0x01, "one"}, {0x88, closing(1000, "")}, {0x80, "two"}}, want: []string{"close 1000 "}},
		"7.1.6 after a large message":  {in: []piece{{0x81, big}, {0x88, closing(1000, "")}, {0x89, ""}}, want: []string{"text " + big, "close 1000 "}},
		"7.3.1 empty":                  {in: []piece{{0x88, ""}}, want: []string{"close 1005 "}},
		"7.3.2 with half a code":       {in: []piece{{0x88, "\x03"}}, code: 1002},
		"7.3.3 with a code":            {in: []piece{{0x88, closing(1000, "")}}, want: []string{"close 1000 "}},
		"7.3.4 with a reason":          {in: []piece{{0x88, closing(1000, "Hello World!")}}, want: []string{"close 1000 Hello World!"}},
		"7.3.5 with 123 bytes of it":   {in: []piece{{0x88, closing(1000, longest)}}, want: []string{"close 1000 " + longest}},
		"7.3.6 with 124 bytes of it":   {in: []piece{{0x88, closing(1000, longest+"*")}}, code: 1002},
		"7.5.1 a reason that is bytes": {in: []piece{{0x88, closing(1000, "\xCE\xBA\xE1\xBD\xB9\xED\xA0\x80")}}, code: 1007},
		"7.5.1 half a character":       {in: []piece{{0x88, closing(1000, "\xE1\xBD")}}, code: 1007},
		"7.5.1 a reason that is UTF-8": {in: []piece{{0x88, closing(1000, "Größe")}}, want: []string{"close 1000 Größe"}},
	}
	for _, c := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases[fmt.Sprintf("7.7 code %d may be sent", c)] = conversation{
			in: []piece{{0x88, closing(c, "")}}, want: []string{fmt.Sprintf("close %d ", c)}}
	}
	for _, c := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases[fmt.Sprintf("7.9 code %d may not", c)] = conversation{
			in: []piece{{0x88, closing(c, "")}}, code: 1002}
	}
	converse(t, cases)
}
