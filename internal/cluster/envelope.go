package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tutti-realtime/tutti"
)

// An envelope is what every message between nodes travels in, whatever the
// engine below. One byte says the version: the upper half is the major one,
// the lower half the minor one.
//
//	version  1 byte      major<<4 | minor
//	kind     1 byte
//	flags    1 byte      bit 0: the topic is private, bit 1: it is bare
//	form     1 byte
//	epoch    8 bytes     of the sender, big endian
//	seq      uvarint     counts what the sender sent to this subject
//	node, tenant, topic, event, meta, payload
//	                     each a uvarint that says its length, and the bytes
//
// A release that needs more adds fields behind the payload and raises the minor
// version: a node of an older release leaves them unread, and drops kinds and
// forms that it does not know. Only a change that would make it misunderstand
// raises the major version, and with it goes the bus of the older one.
type envelope struct {
	minor   uint8
	kind    kind
	private bool
	bare    bool
	form    tutti.Form
	epoch   uint64
	seq     uint64
	node    []byte
	tenant  []byte
	topic   []byte
	event   []byte
	meta    []byte
	payload []byte
}

// kind says what an envelope holds. Numbers are never used again.
type kind uint8

const (
	kindMessage kind = 1 // a tutti.Message for listeners
	kindNote    kind = 2 // what a room of one node tells that of another about a topic
	kindTell    kind = 3 // a call that wants no answer
	kindAsk     kind = 4
	kindAnswer  kind = 5
	kindBeat    kind = 6 // a node is there
	kindAck     kind = 7 // a beat was heard
	kindLeave   kind = 8 // a node goes
	kindLease   kind = 9
)

const (
	major = 1
	minor = 0

	flagPrivate = 1 << 0
	flagBare    = 1 << 1

	// maxName bounds the name of a node, of a call and of a lease, in bytes.
	maxName = 255
)

var (
	errShort   = errors.New("the envelope ends too early")
	errVersion = errors.New("the envelope is of another major version")
	errRest    = errors.New("the envelope goes on behind its end")
	errNode    = errors.New("the envelope names no sender")
)

// A parcel is what a node sends: to one other node, to all, or to those that
// want the topic of the message.
type parcel struct {
	kind    kind
	to      string // a node; "" when it goes to all, or to a topic
	message tutti.Message
}

// appendParcel appends the envelope of a parcel.
func appendParcel(dst []byte, node string, epoch, seq uint64, p *parcel) []byte {
	flags := byte(0)
	if p.message.Topic.Private {
		flags |= flagPrivate
	}
	if p.message.Topic.Bare {
		flags |= flagBare
	}
	dst = append(dst, major<<4|minor, byte(p.kind), flags, byte(p.message.Form))
	dst = binary.BigEndian.AppendUint64(dst, epoch)
	dst = binary.AppendUvarint(dst, seq)
	dst = appendBytes(dst, node)
	dst = appendBytes(dst, p.message.Topic.Tenant)
	dst = appendBytes(dst, p.message.Topic.Name)
	dst = appendBytes(dst, p.message.Event)
	dst = appendBytes(dst, p.message.Meta)
	return appendBytes(dst, p.message.Payload)
}

// decodeEnvelope reads one. What it returns shares the bytes of data.
func decodeEnvelope(data []byte) (e envelope, err error) {
	if len(data) < 12 {
		return e, errShort
	}
	if data[0]>>4 != major {
		return e, fmt.Errorf("%w: %d", errVersion, data[0]>>4)
	}
	e.minor = data[0] & 15
	e.kind = kind(data[1])
	e.private = data[2]&flagPrivate != 0
	e.bare = data[2]&flagBare != 0
	e.form = tutti.Form(data[3])
	e.epoch = binary.BigEndian.Uint64(data[4:])
	r := reader{rest: data[12:]}
	e.seq = r.number()
	for _, field := range []*[]byte{&e.node, &e.tenant, &e.topic, &e.event, &e.meta, &e.payload} {
		*field = r.bytes()
	}
	switch {
	case r.err != nil:
		return envelope{}, r.err
	case len(e.node) == 0 || len(e.node) > maxName:
		return envelope{}, errNode
	case e.minor <= minor && len(r.rest) > 0:
		return envelope{}, errRest
	}
	return e, nil
}

func appendBytes[B []byte | string](dst []byte, b B) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// A reader takes fields off the front of some bytes. After the first that is
// not there it returns zeros, and err says so.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// name reads a string that is neither empty nor long.
func (r *reader) name() string {
	b := r.bytes()
	if len(b) == 0 || len(b) > maxName {
		r.fail()
		return ""
	}
	return string(b)
}

func (r *reader) fail() {
	r.rest = nil
	if r.err == nil {
		r.err = errShort
	}
}
