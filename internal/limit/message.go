package limit

import (
	"encoding/binary"
	"errors"
	"math"
)

// A message is what one node tells others about its tenants.
//
//	version  1 byte   major<<4 | minor
//	head     uvarint  its length, then
//	         flags    1 byte
//	         epoch    uvarint: of the sender
//	         round    uvarint: which telling of everything this is a part of
//	         part     uvarint: which part of it, from 0
//	records  to the end, each a uvarint that says its length, then
//	         tenant   a uvarint that says its length, and the bytes
//	         users    uvarint
//	         rates    uvarints, in 1/1024 events per second, in the order of
//	                  Tenant.counters
//
// Zeros at the end of a record are left out, so that a tenant that counts
// nothing is only named. A release that needs more appends it to the head or to
// the records, raises the minor version, and is understood by an older one,
// which skips what it does not know. Only a change that would be misunderstood
// raises the major version; the two releases then count for themselves.
const (
	major = 1
	minor = 0

	flagRound = 1 << 0 // a part of all that the sender counts
	flagLast  = 1 << 1 // the last part
	flagAsk   = 1 << 2 // the sender wants to hear all in return

	// maxMessage bounds a message, in bytes: a quarter of what NATS carries.
	maxMessage = 256 << 10
	// maxID bounds the name of a tenant, in bytes. A tenant with a longer one
	// is limited by each node for itself.
	maxID = 255
	// maxRecord is the longest record: its length, its name with its length, and
	// the numbers.
	maxRecord = 2 + 2 + maxID + (1+kinds)*binary.MaxVarintLen32
)

var (
	errShort   = errors.New("a message about limits ends too early")
	errVersion = errors.New("a message about limits is of another major version")
	errNumber  = errors.New("a message about limits holds a number of more than 64 bits")
	errName    = errors.New("a message about limits names no tenant, or one of a longer name than there is")
)

type head struct {
	flags byte
	epoch uint64
	round uint64
	part  uint64
}

func (h head) is(flag byte) bool { return h.flags&flag != 0 }

// A share is what one node has of a tenant.
type share struct {
	users uint32
	rates [kinds]uint32 // in 1/rateUnit events per second
}

// rateUnit is the fraction of an event per second that rates are told in. A
// power of two, so that whole rates stay whole and a product is exact.
const rateUnit = 1024

// rate returns a rate as it is told. Four million events per second are as many
// as can be told.
func rate(average float64) uint32 {
	return uint32(min(max(average*rateUnit+0.5, 0), math.MaxUint32))
}

// A writer makes messages of records and sends each when it is full.
type writer struct {
	head head
	send func([]byte)
	buf  []byte
	flag int // where the flags of buf are
	sent int // messages
}

// begin starts a message.
func (w *writer) begin() {
	var fields [1 + 3*binary.MaxVarintLen64]byte
	h := append(fields[:0], w.head.flags)
	for _, n := range [...]uint64{w.head.epoch, w.head.round, w.head.part} {
		h = binary.AppendUvarint(h, n)
	}
	w.buf = append(w.buf, major<<4|minor)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(h)))
	w.flag = len(w.buf)
	w.buf = append(w.buf, h...)
}

// add adds a record.
func (w *writer) add(tenantID string, s share) {
	if len(w.buf)+maxRecord > maxMessage {
		w.flush()
	}
	if len(w.buf) == 0 {
		w.begin()
	}
	var room [maxRecord]byte
	body := binary.AppendUvarint(room[:0], uint64(len(tenantID)))
	body = append(body, tenantID...)
	numbers := [1 + kinds]uint32{0: s.users}
	copy(numbers[1:], s.rates[:])
	last := len(numbers)
	for last > 0 && numbers[last-1] == 0 {
		last--
	}
	for _, n := range numbers[:last] {
		body = binary.AppendUvarint(body, uint64(n))
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(len(body)))
	w.buf = append(w.buf, body...)
}

// flush sends the message that stands.
func (w *writer) flush() {
	// It is handed over: the bus sends it later.
	whole := w.buf
	w.buf = nil
	w.head.part++
	w.sent++
	w.send(whole)
}

// end sends what is left. A round or a question has a message even when there is
// nothing to say, and its last one is marked.
func (w *writer) end() {
	if len(w.buf) == 0 && w.head.flags != 0 {
		w.begin()
	}
	if len(w.buf) == 0 {
		return
	}
	if w.head.is(flagRound) {
		w.buf[w.flag] |= flagLast
	}
	w.flush()
}

// A record is what a message says about one tenant.
type record struct {
	tenantID []byte
	share    share
}

// decode returns a message's head and its records, each of which can be read.
func decode(message []byte) (h head, records []byte, err error) {
	if len(message) == 0 {
		return h, nil, errShort
	}
	if message[0]>>4 != major {
		return h, nil, errVersion
	}
	fields, records, err := cut(message[1:])
	if err != nil {
		return h, nil, err
	}
	if len(fields) == 0 {
		return h, nil, errShort
	}
	h.flags, fields = fields[0], fields[1:]
	for _, n := range [...]*uint64{&h.epoch, &h.round, &h.part} {
		if *n, fields, err = number(fields); err != nil {
			return h, nil, err
		}
	}
	for rest := records; len(rest) > 0; {
		if _, rest, err = next(rest); err != nil {
			return h, nil, err
		}
	}
	return h, records, nil
}

// next reads the first record and returns what follows.
func next(records []byte) (r record, rest []byte, err error) {
	body, rest, err := cut(records)
	if err != nil {
		return r, nil, err
	}
	if r.tenantID, body, err = cut(body); err != nil {
		return r, nil, err
	}
	if len(r.tenantID) == 0 || len(r.tenantID) > maxID {
		return r, nil, errName
	}
	var numbers [1 + kinds]uint32
	for i := 0; i < len(numbers) && len(body) > 0; i++ {
		var n uint64
		if n, body, err = number(body); err != nil {
			return r, nil, err
		}
		numbers[i] = uint32(min(n, math.MaxUint32))
	}
	r.share.users = numbers[0]
	copy(r.share.rates[:], numbers[1:])
	return r, rest, nil
}

// number reads a uvarint.
func number(b []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	switch {
	case size == 0:
		return 0, nil, errShort
	case size < 0:
		return 0, nil, errNumber
	}
	return n, b[size:], nil
}

// cut reads a uvarint and as many bytes.
func cut(b []byte) (field, rest []byte, err error) {
	n, b, err := number(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(b)) {
		return nil, nil, errShort
	}
	return b[:n], b[n:], nil
}
