package relay

import (
	"encoding/binary"
	"errors"
)

var (
	errShort   = errors.New("the message ends too early")
	errRest    = errors.New("the message goes on behind its end")
	errUnknown = errors.New("the message is of an unknown kind")
	errDeep    = errors.New("types are nested too deeply")
)

func appendText[B []byte | string](dst []byte, b B) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendNumbers(dst []byte, all ...uint64) []byte {
	for _, n := range all {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func appendYes(dst []byte, yes bool) []byte {
	if yes {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// A cursor takes fields off the front of some bytes. After the first that is not
// there it returns zeros, and err says so.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail(err error) {
	c.rest = nil
	if c.err == nil {
		c.err = err
	}
}

func (c *cursor) number() uint64 {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.fail(errShort)
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) signed() int64 {
	n, size := binary.Varint(c.rest)
	if size <= 0 {
		c.fail(errShort)
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

// count reads how many of something follow, each of which takes a byte at least.
func (c *cursor) count() int {
	n := c.number()
	if n > uint64(len(c.rest)) {
		c.fail(errShort)
		return 0
	}
	return int(n)
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.fail(errShort)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) bytes() []byte { return c.take(c.number()) }
func (c *cursor) text() string  { return string(c.bytes()) }

func (c *cursor) byte() byte {
	if len(c.rest) == 0 {
		c.fail(errShort)
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

func (c *cursor) yes() bool { return c.byte() != 0 }

// end returns the error of a message that must end here.
func (c *cursor) end() error {
	if c.err == nil && len(c.rest) > 0 {
		return errRest
	}
	return c.err
}
