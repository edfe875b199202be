package cluster

import "encoding/binary"

// op says what a message about leases means.
type op uint8

const (
	opAsk     op = 1 // may I have it, under this term?
	opGrant   op = 2 // for all I know
	opDeny    op = 3
	opTook    op = 4 // I have it
	opFree    op = 5 // I have it no more, or want it no more
	opClaim   op = 6 // these I have, and you may not know
	opClaimed op = 7 // noted, all but these
	opProbe   op = 8 // do you still have it? opFree or opTook is the answer
)

// why says why a lease was denied.
type why uint8

const (
	whyHeld  why = 1 // the voter has it
	whyRival why = 2 // the voter wants it, and goes first
	whyFar   why = 3 // somebody may have it that the voter hears and the asker does not
	whyStale why = 4 // a term as high was seen
	whyTwin  why = 5 // the voter's terms and the asker's could be the same
)

// A leaseMessage is all that nodes say about leases. Not every op uses every
// field.
type leaseMessage struct {
	op     op
	why    why
	name   string
	term   Term
	high   Term     // opDeny: the highest term that the voter saw
	view   []uint64 // opAsk: keys of the nodes that the asker hears
	chunk  uint64   // opClaim, opClaimed
	claims []claim
}

type claim struct {
	name string
	term Term
}

func appendNumbers(dst []byte, all ...uint64) []byte {
	for _, n := range all {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func encodeLease(m *leaseMessage) []byte {
	dst := []byte{byte(m.op), byte(m.why)}
	dst = appendBytes(dst, m.name)
	dst = appendNumbers(dst, uint64(m.term), uint64(m.high), m.chunk, uint64(len(m.view)))
	for _, key := range m.view {
		dst = binary.BigEndian.AppendUint64(dst, key)
	}
	dst = appendNumbers(dst, uint64(len(m.claims)))
	for _, c := range m.claims {
		dst = appendNumbers(appendBytes(dst, c.name), uint64(c.term))
	}
	return dst
}

// decodeLease reads a message. What stands behind it is of a newer release.
func decodeLease(data []byte) (m leaseMessage, err error) {
	r := reader{rest: data}
	m.op, m.why = op(r.byte()), why(r.byte())
	m.name = string(r.bytes())
	m.term, m.high, m.chunk = Term(r.number()), Term(r.number()), r.number()
	n := r.number()
	if n > uint64(len(r.rest)/8) {
		r.fail()
		return leaseMessage{}, r.err
	}
	for range n {
		m.view = append(m.view, binary.BigEndian.Uint64(r.rest))
		r.rest = r.rest[8:]
	}
	n = r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
	}
	for range n {
		if r.err != nil {
			break
		}
		m.claims = append(m.claims, claim{name: r.name(), term: Term(r.number())})
	}
	if len(m.name) > maxName || r.err != nil {
		r.fail()
		return leaseMessage{}, r.err
	}
	return m, nil
}
