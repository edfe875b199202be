package extend

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
)

// What nodes tell each other about rooms. Each message is a kind, and but for
// a beat the place of the room and a term; numbers are never used again. Kinds that
// a node does not know are of a newer release.
const (
	msgSeek   = 1  // to all: who runs the room?
	msgOwn    = 2  // to a follower: I do
	msgEnd    = 3  // to a follower: I do not, any more
	msgList   = 4  // to the owner: all my members, or a part of them
	msgChange = 5  // to the owner: a member came, changed or went
	msgEvent  = 6  // to the owner
	msgTell   = 7  // to a follower: for one of your members
	msgRefuse = 8  // to a follower: one of your members is not let in
	msgKeep   = 9  // to a follower, or to all: what was kept
	msgSync   = 10 // to a follower: tell me all your members
	msgBeat   = 11 // to the owner: how far I am, of many rooms
	msgClaim  = 12 // asked of all: I run the room; what was kept?
	msgPing   = 13 // to all, about no room: what time is it?
	msgPong   = 14 // to who asked
	msgHeard  = 15 // to a follower: your events came up to a number, and were heard up to another
	msgReturn = 16 // to whoever sent an event: I do not run the room, and nobody has heard it
	msgLast   = msgReturn
)

// maxChunk is about how large a message with many members is, in bytes.
const maxChunk = 512 << 10

var errMessage = errors.New("the message makes no sense")

const (
	flagPrivate = 1 << 0
	flagBare    = 1 << 1
)

func appendText[B []byte | string](dst []byte, s B) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// message begins one about the room.
func (r *room) message(kind byte, term uint64) []byte {
	return binary.AppendUvarint(appendPlace([]byte{kind}, &r.place), term)
}

func appendPlace(dst []byte, p *place) []byte {
	flags := byte(0)
	if p.topic.Private {
		flags |= flagPrivate
	}
	if p.topic.Bare {
		flags |= flagBare
	}
	dst = appendText(append(dst, flags), p.key)
	return appendText(appendText(dst, p.topic.Tenant), p.topic.Name)
}

func appendMember(dst []byte, m *tutti.Member) []byte {
	dst = appendText(appendText(dst, m.ID), m.Key)
	dst = appendText(appendText(dst, m.Claims.Role), m.Claims.Subject)
	dst = binary.AppendVarint(dst, m.Claims.Expires)
	return appendText(appendText(dst, []byte(m.Claims.Raw)), []byte(m.Join))
}

func appendChange(dst []byte, seq uint64, c change) []byte {
	dst = binary.AppendUvarint(dst, seq)
	if !c.joins {
		return appendText(append(dst, 0), c.id)
	}
	return appendMember(append(dst, 1), &c.member)
}

func appendOccurrence(dst []byte, o occurrence) []byte {
	dst = appendText(appendText(dst, o.id), o.name)
	dst = binary.AppendVarint(dst, o.at.UnixNano())
	return appendText(dst, o.payload)
}

func appendTold(dst []byte, id, name string, payload []byte) []byte {
	return appendText(appendText(appendText(dst, id), name), payload)
}

// appendKept appends what was kept; remaining is how long it is to be remembered.
func appendKept(dst []byte, k *kept, remaining time.Duration) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, k.term), k.version)
	final := byte(0)
	if k.final {
		final = 1
	}
	dst = binary.AppendVarint(append(dst, final), remaining.Milliseconds())
	return appendText(appendText(dst, k.state), k.keeper)
}

// A parser takes a message apart. After the first thing that is not there it
// returns zeros, and failed is set. Bytes are copies.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) fail() { p.rest, p.failed = nil, true }

func (p *parser) byte() byte {
	if len(p.rest) == 0 {
		p.fail()
		return 0
	}
	b := p.rest[0]
	p.rest = p.rest[1:]
	return b
}

func (p *parser) number() uint64 {
	n, size := binary.Uvarint(p.rest)
	if size <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) signed() int64 {
	n, size := binary.Varint(p.rest)
	if size <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) text() string {
	n := p.number()
	if n > uint64(len(p.rest)) {
		p.fail()
		return ""
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

func (p *parser) bytes() []byte {
	if s := p.text(); s != "" {
		return []byte(s)
	}
	return nil
}

func (p *parser) place() (at place) {
	flags := p.byte()
	at.key = p.text()
	at.topic = tutti.Topic{
		Tenant: p.text(), Name: p.text(), Private: flags&flagPrivate != 0, Bare: flags&flagBare != 0,
	}
	return at
}

func (p *parser) member() (m tutti.Member) {
	m.ID, m.Key = p.text(), p.text()
	m.Claims.Role, m.Claims.Subject = p.text(), p.text()
	m.Claims.Expires = p.signed()
	m.Claims.Raw, m.Join = p.bytes(), p.bytes()
	return m
}

func (p *parser) change() (seq uint64, c change) {
	seq = p.number()
	if c.joins = p.byte() == 1; c.joins {
		c.member = p.member()
		c.id = c.member.ID
	} else {
		c.id = p.text()
	}
	return seq, c
}

func (p *parser) occurrence() (o occurrence) {
	o.id, o.name = p.text(), p.text()
	o.at = time.Unix(0, p.signed())
	o.payload = p.bytes()
	return o
}

// event is an occurrence with its number.
func (p *parser) event() (o occurrence, number uint64) {
	o = p.occurrence()
	if len(p.rest) > 0 { // else it is of an older release
		number = p.number()
	}
	return o, number
}

func (p *parser) standing() (s standing) {
	s.came = p.number()
	if s.heard = s.came; len(p.rest) > 0 { // else it is of an older release
		s.heard = p.number()
	}
	return s
}

func (p *parser) kept() (k kept, remaining time.Duration) {
	k.term, k.version = p.number(), p.number()
	k.final = p.byte() == 1
	remaining = time.Duration(p.signed()) * time.Millisecond
	k.state = p.bytes()
	if len(p.rest) > 0 { // else it is of an older release
		k.keeper = p.text()
	}
	return k, remaining
}
