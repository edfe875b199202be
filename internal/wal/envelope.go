package wal

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// An envelope is what the server puts into a CopyData message of a replication
// stream. Spec: PostgreSQL, "Streaming Replication Protocol".
type envelope struct {
	payload []byte // pgoutput's message; nil for a keepalive
	start   uint64 // position of the payload
	end     uint64 // of a keepalive: the server has sent all before it
	written uint64 // end of the server's log
	reply   bool   // keepalive: the server wants an answer at once
}

func openEnvelope(data []byte) (e envelope, err error) {
	c := &cursor{b: data}
	switch kind := c.uint8(); kind {
	case 'w':
		e.start = c.uint64()
		e.written = c.uint64()
		c.bytes(8) // the server's clock
		e.payload = c.b
	case 'k':
		e.end = c.uint64()
		e.written = e.end
		c.bytes(8)
		e.reply = c.uint8() == 1
	default:
		c.bad = true
	}
	if c.bad {
		return e, fmt.Errorf("%w around pgoutput's", errMalformed)
	}
	return e, nil
}

// appendStatus appends a standby status: received is what has come, flushed what
// the server need not keep. With reply the server answers at once.
func appendStatus(dst []byte, received, flushed uint64, reply bool) ([]byte, error) {
	body := make([]byte, 0, 34)
	body = append(body, 'r')
	body = binary.BigEndian.AppendUint64(body, max(received, flushed))
	body = binary.BigEndian.AppendUint64(body, flushed)
	body = binary.BigEndian.AppendUint64(body, flushed)
	body = binary.BigEndian.AppendUint64(body, uint64(time.Now().UnixMicro()-epoch*1e6))
	if reply {
		body = append(body, 1)
	} else {
		body = append(body, 0)
	}
	return (&pgproto3.CopyData{Data: body}).Encode(dst)
}
