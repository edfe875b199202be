package presence

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// A message from one node to another is a header and frames.
//
//	version  1 byte      major<<4 | minor
//	line     uvarint     of the sender, see peer
//	to       uvarint     the line of the receiver that this answers to, 0 when not known
//	life     4 bytes     lower half of the receiver's epoch, big endian
//	seq      uvarint     counts the messages of this line, 0 for one without frames
//
// A frame is a kind (1 byte), the length of its body (uvarint) and the body. A
// node leaves out kinds that it does not know if the minor version is greater
// than its own; a greater major version it does not read at all. Numbers are
// uvarints, epochs of entries are counted from that of the sender.
const (
	major = 1
	minor = 0
)

type kind uint8

const (
	kindListen   kind = 1  // ids: of topics that the sender listens to from now on
	kindUnlisten kind = 2  // ids: … no more
	kindWhole    kind = 3  // bucket, ids: all topics of a bucket that the sender listens to
	kindChanges  kind = 4  // id, epoch, version of the first, changes
	kindCopy     kind = 5  // id, epoch, version, whether more follows, entries: all of the sender in a topic
	kindGone     kind = 6  // ids: of topics in which the sender has no entries
	kindWant     kind = 7  // ids: of topics whose copy the sender needs
	kindDigest   kind = 8  // roots: of the topics the sender listens to, of its entries in those of the receiver
	kindHeard    kind = 9  // sums: what the sender thinks that the receiver listens to
	kindHeld     kind = 10 // sums: what the sender has of the receiver's entries
	kindList     kind = 11 // bucket, the receiver's topics in it as a sum, ids and stamps of the sender's entries
	kindAck      kind = 12 // seq: all up to it has been read and answered
)

type header struct {
	line, to uint64
	life     uint32
	seq      uint64
}

func appendHeader(dst []byte, h header) []byte {
	dst = append(dst, major<<4|minor)
	dst = binary.AppendUvarint(dst, h.line)
	dst = binary.AppendUvarint(dst, h.to)
	dst = binary.BigEndian.AppendUint32(dst, h.life)
	return binary.AppendUvarint(dst, h.seq)
}

func appendFrame(dst []byte, k kind, body []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(k)), uint64(len(body)))
	return append(dst, body...)
}

func appendIDs(dst []byte, ids []id) []byte {
	for i := range ids {
		dst = append(dst, ids[i][:]...)
	}
	return dst
}

func appendSums(dst []byte, s *sums) []byte {
	for _, v := range s {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	return dst
}

func appendRoots(dst []byte, heard, held uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, heard), held)
}

// appendTopic appends which entries a body is about. The stamp's epoch is one
// of the sender's, base the sender's own.
func appendTopic(dst []byte, i id, s Stamp, base uint64) []byte {
	dst = append(dst, i[:]...)
	dst = binary.AppendUvarint(dst, s.Epoch-base)
	return binary.AppendUvarint(dst, s.Version)
}

// What stands before an entry of changes.
const (
	opRemove = 0
	opPut    = 1
)

// appendChange appends a change of the sender's own: of a removed entry it
// takes the channel only.
func appendChange(dst []byte, d Diff) []byte {
	if len(d.Joins) == 0 {
		return binary.AppendUvarint(append(dst, opRemove), d.Leaves[0].Channel)
	}
	return appendEntry(append(dst, opPut), d.Joins[0])
}

// refBytes is the size of a ref that is not in base64.
const refBytes = 12

// appendEntry appends an entry. Of its meta the refs and the members travel: the
// rest is the same for all.
//
//	channel  uvarint
//	key      uvarint that says its length, and the bytes
//	refs     1 byte      how many follow: phx_ref, phx_ref_prev
//	         12 bytes    each
//	members  uvarint that says their length, and the bytes
func appendEntry(dst []byte, e Entry) []byte {
	dst = binary.AppendUvarint(dst, e.Channel)
	dst = binary.AppendUvarint(dst, uint64(len(e.Key)))
	dst = append(dst, e.Key...)
	rest := e.Meta[len(refOpen)+refSize:]
	if bytes.HasPrefix(rest, []byte(prevOpen)) {
		dst = appendRef(append(dst, 2), e.Meta[len(refOpen):])
		dst = appendRef(dst, rest[len(prevOpen):])
	} else {
		dst = appendRef(append(dst, 1), e.Meta[len(refOpen):])
	}
	own := membersOf(e.Meta)
	dst = binary.AppendUvarint(dst, uint64(len(own)))
	return append(dst, own...)
}

// appendRef appends the ref that text begins with.
func appendRef(dst, text []byte) []byte {
	dst, _ = base64.RawURLEncoding.AppendDecode(dst, text[:refSize]) // newRef made it
	return dst
}
