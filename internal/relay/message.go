package relay

import (
	"encoding/binary"
	"time"
)

// Kinds of messages. The first byte of each is its kind; a release that needs
// another form gives it another number. Numbers are never used again.
const (
	kindFrame  = 1  // owner to follower: a piece of the stream
	kindFollow = 2  // to all: who owns this?
	kindAccept = 3  // owner to follower: here it begins
	kindGone   = 4  // owner to follower: you are no follower of mine
	kindEnd    = 5  // owner to follower: I do not own this any more
	kindLeave  = 6  // follower to owner: I want no more of this
	kindAcks   = 7  // follower to owner: what was taken, of any number of lines
	kindBeat   = 8  // owner to follower: I live, and these should have come
	kindOwn    = 9  // asked of all: I own these, where are you?
	kindUses   = 10 // asked of all: do you use this?
	kindGaps   = 11 // to all, or to one that has come: these are missing here
)

// A line is a stream of a tenant: those with other settings are another.
type line struct {
	tenant string
	key    uint64
}

func appendLine(dst []byte, l line) []byte {
	return binary.BigEndian.AppendUint64(appendText(dst, l.tenant), l.key)
}

func (c *cursor) fixed() uint64 {
	b := c.take(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func (c *cursor) line() line { return line{c.text(), c.fixed()} }

func appendPosition(dst []byte, p *position) []byte {
	dst = appendYes(dst, p.known)
	return appendNumbers(dst, p.handed, p.passed, p.partly, uint64(p.parts), p.confirmed)
}

func (c *cursor) position() position {
	return position{
		known: c.yes(), handed: c.number(), passed: c.number(), partly: c.number(),
		parts: int(c.number() & (1<<62 - 1)), confirmed: c.number(),
	}
}

// A frame is a piece of an owner's stream: whole records, or a piece of one that
// is too large.
type frame struct {
	line line
	term uint64
	seq  uint64
	more bool // the record goes on in the next
	body []byte
}

// frameHead is about the bytes of a frame besides its body and the tenant.
const frameHead = 32

func appendFrame(dst []byte, f *frame) []byte {
	dst = appendLine(append(dst, kindFrame), f.line)
	dst = binary.BigEndian.AppendUint64(dst, f.term)
	dst = binary.BigEndian.AppendUint64(dst, f.seq)
	return append(appendYes(dst, f.more), f.body...)
}

func (c *cursor) frame() frame {
	f := frame{line: c.line(), term: c.fixed(), seq: c.fixed(), more: c.yes()}
	f.body = c.rest
	return f
}

// A follow says where a node is. The nonce comes back with the answer.
type follow struct {
	line  line
	epoch uint64 // of the node
	nonce uint64
	at    position
}

func appendFollow(dst []byte, f *follow) []byte {
	dst = appendLine(append(dst, kindFollow), f.line)
	return appendPosition(appendNumbers(dst, f.epoch, f.nonce), &f.at)
}

func (c *cursor) follow() follow {
	return follow{line: c.line(), epoch: c.number(), nonce: c.number(), at: c.position()}
}

// An accept says with which frame a follower begins, and where that is.
type accept struct {
	line   line
	nonce  uint64
	term   uint64
	seq    uint64   // of the first frame
	opened bool     // read and start mean something; otherwise a Live comes
	lost   bool     // what lies between the follower and read cannot be had
	read   position // from where frames go on
	start  uint64   // where one begins that has nothing
}

func appendAccept(dst []byte, a *accept) []byte {
	dst = appendLine(append(dst, kindAccept), a.line)
	dst = appendNumbers(dst, a.nonce, a.term, a.seq)
	dst = appendYes(appendYes(dst, a.opened), a.lost)
	return binary.AppendUvarint(appendPosition(dst, &a.read), a.start)
}

func (c *cursor) accept() accept {
	return accept{
		line: c.line(), nonce: c.number(), term: c.number(), seq: c.number(),
		opened: c.yes(), lost: c.yes(), read: c.position(), start: c.number(),
	}
}

// A note is a line under a term, with what else its message says: an ack how far
// it has come and what need not be sent again, a beat the last frame.
type note struct {
	line    line
	term    uint64
	seq     uint64
	flushed uint64
}

func appendNote(dst []byte, n *note) []byte {
	return appendNumbers(appendLine(dst, n.line), n.term, n.seq, n.flushed)
}

func (c *cursor) note() note {
	return note{line: c.line(), term: c.number(), seq: c.number(), flushed: c.number()}
}

// notesOf returns a message of notes.
func notesOf(kind byte, all ...note) []byte {
	dst := []byte{kind}
	for i := range all {
		dst = appendNote(dst, &all[i])
	}
	return dst
}

// notes calls f with each note of a message.
func (c *cursor) notes(f func(note)) {
	for len(c.rest) > 0 {
		if n := c.note(); c.err == nil {
			f(n)
		}
	}
}

// Answers to kindOwn and kindUses, by line.
const (
	answerNone      = 0 // no such stream here
	answerHere      = 1 // here, and it waits to be accepted
	answerFollowing = 2 // here, and it follows the asker
	answerElsewhere = 3 // here, and it follows somebody of a later term
)

// An answer is what a node says of one of the lines that it was asked about.
type answer struct {
	status byte
	nonce  uint64
	at     position
}

// A gap is a node that is missing, as the one that answers sees it, or that the
// one who asks may miss.
type gap struct {
	node  string
	epoch uint64
	since time.Duration // ago
}

func appendAnswers(dst []byte, epoch uint64, all []answer, missing []gap) []byte {
	dst = appendNumbers(dst, epoch, uint64(len(all)))
	for i := range all {
		dst = append(dst, all[i].status)
		if all[i].status == answerHere {
			dst = appendPosition(binary.AppendUvarint(dst, all[i].nonce), &all[i].at)
		}
	}
	return appendGaps(dst, missing)
}

func appendGaps(dst []byte, all []gap) []byte {
	for _, g := range all {
		dst = appendNumbers(appendText(dst, g.node), g.epoch, uint64(g.since.Milliseconds()))
	}
	return dst
}

// gaps reads all that follow.
func (c *cursor) gaps() (all []gap) {
	for len(c.rest) > 0 {
		g := gap{node: c.text(), epoch: c.number()}
		g.since = time.Duration(c.number()&(1<<40-1)) * time.Millisecond
		all = append(all, g)
	}
	return all
}

func decodeAnswers(payload []byte) (epoch uint64, all []answer, missing []gap, err error) {
	c := &cursor{rest: payload}
	epoch = c.number()
	for range c.count() {
		a := answer{status: c.byte()}
		if a.status == answerHere {
			a.nonce, a.at = c.number(), c.position()
		}
		all = append(all, a)
	}
	missing = c.gaps()
	return epoch, all, missing, c.err
}
