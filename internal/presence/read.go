package presence

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	errShort   = errors.New("it ends too early")
	errRest    = errors.New("it goes on behind its end")
	errKind    = errors.New("it is of no known kind")
	errValue   = errors.New("a value is out of its range")
	errVersion = errors.New("it is of another major version")
)

// A frame is one of a message. Not every kind uses every field.
type frame struct {
	kind    kind
	ids     []id
	bucket  uint8
	id      id
	stamp   Stamp
	more    bool
	changes []change
	entries []Entry
	roots   [2]uint64
	sums    *sums
	sum     uint64
	stamps  []Stamp // of ids
	seq     uint64
}

// A change is an entry that was put, or of which only the channel is known
// because it was removed.
type change struct {
	remove bool
	Entry
}

// parse reads a message of a node whose epoch is base. Nothing of it shares the
// bytes of data.
func parse(data []byte, base uint64) (h header, frames []frame, err error) {
	r := reader{rest: data}
	v := r.byte()
	if r.err == nil && v>>4 != major {
		return h, nil, fmt.Errorf("read a message about presence: %w: %d", errVersion, v>>4)
	}
	h = header{line: r.number(), to: r.number(), life: r.life(), seq: r.number()}
	if h.seq == 0 && len(r.rest) > 0 || h.line == 0 {
		r.fail(errValue)
	}
	for len(r.rest) > 0 {
		k := kind(r.byte())
		body := reader{rest: r.take(r.number()), err: r.err}
		f := frame{kind: k}
		body.frame(&f, base)
		switch {
		case errors.Is(body.err, errKind) && v&15 > minor:
			continue // of a newer release
		case body.err == nil && len(body.rest) > 0 && v&15 <= minor:
			body.err = errRest
		}
		if body.err != nil {
			r.fail(body.err)
			break
		}
		frames = append(frames, f)
	}
	if r.err != nil {
		return header{}, nil, fmt.Errorf("read a message about presence: %w", r.err)
	}
	return h, frames, nil
}

// frame reads a body.
func (r *reader) frame(f *frame, base uint64) {
	switch f.kind {
	case kindListen, kindUnlisten, kindGone, kindWant:
		f.ids = r.ids()
	case kindWhole:
		f.bucket = r.byte()
		f.ids = r.ids()
		for _, i := range f.ids {
			if i.bucket() != int(f.bucket) {
				r.fail(errValue)
			}
		}
	case kindChanges:
		f.id, f.stamp = r.topic(base)
		for more := true; more; more = len(r.rest) > 0 {
			f.changes = append(f.changes, r.change())
		}
	case kindCopy:
		f.id, f.stamp = r.topic(base)
		f.more = r.flag()
		for more := true; more; more = len(r.rest) > 0 {
			f.entries = append(f.entries, r.entry())
		}
	case kindDigest:
		f.roots = [2]uint64{r.sum(), r.sum()}
	case kindHeard, kindHeld:
		f.sums = new(sums)
		for i := range f.sums {
			f.sums[i] = r.sum()
		}
	case kindList:
		f.bucket = r.byte()
		f.sum = r.sum()
		for len(r.rest) > 0 {
			i, s := r.topic(base)
			if i.bucket() != int(f.bucket) {
				r.fail(errValue)
			}
			f.ids, f.stamps = append(f.ids, i), append(f.stamps, s)
		}
	case kindAck:
		f.seq = r.number()
	default:
		r.fail(errKind)
	}
}

// A reader takes fields off the front of some bytes. After the first that is
// not there it returns zeros, and err says why.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	r.rest = nil
	if r.err == nil {
		r.err = err
	}
}

// number reads a uvarint in its shortest form.
func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	if size > 1 && r.rest[size-1] == 0 {
		r.fail(errValue)
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail(errShort)
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) flag() bool {
	b := r.byte()
	if b > 1 {
		r.fail(errValue)
	}
	return b == 1
}

func (r *reader) life() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) sum() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) ids() []id {
	n := len(r.rest) / len(id{})
	if n*len(id{}) != len(r.rest) {
		r.fail(errShort)
		return nil
	}
	ids := make([]id, n)
	for i := range ids {
		ids[i] = id(r.take(uint64(len(id{}))))
	}
	return ids
}

// topic reads which entries a body is about. A stamp is never zero.
func (r *reader) topic(base uint64) (i id, s Stamp) {
	b := r.take(uint64(len(i)))
	if b != nil {
		i = id(b)
	}
	s.Epoch = base + r.number()
	s.Version = r.number()
	if s.Epoch < base || s.Version == 0 {
		r.fail(errValue)
	}
	return i, s
}

func (r *reader) change() change {
	if !r.flag() {
		return change{remove: true, Entry: Entry{Channel: r.number()}}
	}
	return change{Entry: r.entry()}
}

// entry reads an entry. Whether the members are JSON is not looked at: a node
// that is let in is believed.
func (r *reader) entry() (e Entry) {
	e.Channel = r.number()
	e.Key = string(r.take(r.number()))
	refs := r.byte()
	if refs < 1 || refs > 2 || !utf8.ValidString(e.Key) {
		r.fail(errValue)
	}
	ref, prev := r.ref(), ""
	if refs == 2 {
		prev = r.ref()
	}
	own := r.take(r.number())
	if r.err != nil {
		return Entry{}
	}
	e.Meta = render(ref, prev, own)
	return e
}

func (r *reader) ref() string { return base64.RawURLEncoding.EncodeToString(r.take(refBytes)) }
