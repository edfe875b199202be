package relay

import (
	"encoding/binary"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// Kinds of records. Frames are full of them. Numbers are never used again.
const (
	recordPart = 1 // a transaction, or a part of one
	recordLive = 2
	recordDown = 3
	recordLost = 4
	recordPass = 5 // a position before which nothing is left to send
)

// A writer writes parts, and what the tables are before they are first used.
type writer struct {
	tables map[uint32]described // by OID: the latest
	last   uint64
	round  uint64 // grows when somebody comes who knows no table
}

type described struct {
	table *tutti.Table
	id    uint64
	round uint64
}

// part appends a part of a transaction, whose first change is the one behind
// offset others.
func (w *writer) part(dst []byte, tx *tutti.Transaction, offset int) []byte {
	dst = append(dst, recordPart)
	dst = appendNumbers(dst, uint64(tx.ID), tx.CommitLSN, tx.EndLSN)
	dst = binary.AppendVarint(dst, tx.Committed.UnixMicro())
	dst = appendNumbers(dst, uint64(offset), uint64(len(tx.Changes)))
	for i := range tx.Changes {
		dst = w.table(dst, tx.Changes[i].Table)
		dst = w.change(dst, &tx.Changes[i])
	}
	return dst
}

// table appends what a table is, if somebody may not know.
func (w *writer) table(dst []byte, t *tutti.Table) []byte {
	d, found := w.tables[t.OID]
	if found && d.table == t && d.round == w.round {
		return dst
	}
	if !found || d.table != t {
		w.last++
		d = described{table: t, id: w.last}
	}
	d.round = w.round
	if w.tables == nil {
		w.tables = map[uint32]described{}
	}
	w.tables[t.OID] = d
	dst = append(dst, isTable)
	dst = appendNumbers(dst, d.id, uint64(t.OID))
	dst = appendText(appendText(dst, t.Schema), t.Name)
	dst = append(dst, t.Identity)
	return appendColumns(dst, t.Columns)
}

func appendColumns(dst []byte, columns []tutti.Column) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(columns)))
	for i := range columns {
		c := &columns[i]
		dst = appendText(dst, c.Name)
		dst = binary.AppendUvarint(dst, uint64(c.TypeOID))
		dst = appendText(dst, c.Type)
		dst = binary.AppendVarint(dst, int64(c.TypeMod))
		dst = appendYes(dst, c.Key)
		dst = binary.AppendUvarint(dst, uint64(c.Base))
		dst = append(dst, c.Delim)
		dst = appendYes(dst, c.Fields != nil)
		if c.Fields != nil {
			dst = appendColumns(dst, c.Fields)
		}
	}
	return dst
}

// The first byte of a change is its kind and which rows it has; or it says that
// what a table is comes first.
const (
	isTable = 0
	hasNew  = 1 << 6
	hasOld  = 1 << 7
)

// change appends a change of a table that was described.
func (w *writer) change(dst []byte, c *tutti.Change) []byte {
	what := byte(c.Kind)
	if c.New != nil {
		what |= hasNew
	}
	if c.Old != nil {
		what |= hasOld
	}
	dst = append(dst, what)
	dst = binary.AppendUvarint(dst, w.tables[c.Table.OID].id)
	for _, row := range [...][]tutti.Value{c.New, c.Old} {
		for i := range row {
			if row[i].Kind != tutti.Text {
				dst = append(dst, byte(row[i].Kind))
				continue
			}
			dst = binary.AppendUvarint(dst, uint64(len(row[i].Text))+uint64(tutti.Text))
			dst = append(dst, row[i].Text...)
		}
	}
	return dst
}

func appendLive(dst []byte, l *wal.Live) []byte {
	return appendText(appendNumbers(append(dst, recordLive), l.Since, l.End), l.System)
}

func appendDown(dst []byte, f *wal.Failure) []byte {
	return appendText(appendText(appendText(append(dst, recordDown), f.Code), f.Cause), f.Cure)
}

func appendLost(dst []byte, l *wal.Lost) []byte {
	return appendNumbers(append(dst, recordLost), l.From, l.To)
}

func appendPass(dst []byte, lsn uint64) []byte { return appendNumbers(append(dst, recordPass), lsn) }

// A record is what was decoded: a part when state is nil and pass is 0.
type record struct {
	tx     tutti.Transaction
	offset int
	state  wal.State
	pass   uint64
}

// A shelf is the tables that an owner has described, by their numbers. A table
// that it knows stays the same *tutti.Table when it is described again.
type shelf struct {
	node   string
	term   uint64
	tables map[uint64]*tutti.Table
	ids    map[uint32]uint64 // the latest of an OID
	values []tutti.Value     // memory for rows
	rows   int               // that may follow
}

// each calls f with each record of a frame. The values share its bytes.
func (s *shelf) each(body []byte, f func(*record) error) error {
	c := &cursor{rest: body}
	for len(c.rest) > 0 {
		r := s.read(c, c.byte())
		if c.err != nil {
			break
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	s.values = nil // they would keep the frame's memory
	return c.err
}

func (s *shelf) read(c *cursor, kind byte) (r record) {
	switch kind {
	case recordPart:
		s.part(c, &r)
	case recordLive:
		l := wal.Live{Since: c.number(), End: c.number()}
		l.System = c.text()
		r.state = l
	case recordDown:
		r.state = wal.Down{Failure: &wal.Failure{Code: c.text(), Cause: c.text(), Cure: c.text()}}
	case recordLost:
		r.state = wal.Lost{From: c.number(), To: c.number()}
	case recordPass:
		r.pass = c.number()
	default:
		c.fail(errUnknown)
	}
	return r
}

func (s *shelf) learn(c *cursor) {
	id, oid := c.number(), uint32(c.number())
	t := &tutti.Table{OID: oid, Schema: c.text(), Name: c.text(), Identity: c.byte()}
	t.Columns = columns(c, 0)
	if c.err != nil || s.tables[id] != nil {
		return
	}
	if s.tables == nil {
		s.tables, s.ids = map[uint64]*tutti.Table{}, map[uint32]uint64{}
	}
	if before, found := s.ids[oid]; found {
		delete(s.tables, before)
	}
	s.tables[id], s.ids[oid] = t, id
}

const (
	columnBytes = 8  // that the description of a column takes at least
	maxDepth    = 16 // of composites within composites
)

func columns(c *cursor, depth int) []tutti.Column {
	n := c.count()
	if depth > maxDepth {
		c.fail(errDeep)
	}
	if n*columnBytes > len(c.rest) {
		c.fail(errShort)
	}
	if c.err != nil {
		return nil
	}
	all := make([]tutti.Column, n)
	for i := range all {
		all[i] = tutti.Column{Name: c.text(), TypeOID: uint32(c.number()), Type: c.text()}
		all[i].TypeMod, all[i].Key, all[i].Base, all[i].Delim = int32(c.signed()), c.yes(), uint32(c.number()), c.byte()
		if c.yes() {
			all[i].Fields = columns(c, depth+1)
		}
	}
	return all
}

func (s *shelf) part(c *cursor, r *record) {
	tx := &r.tx
	tx.ID, tx.CommitLSN, tx.EndLSN = uint32(c.number()), c.number(), c.number()
	tx.Committed = time.UnixMicro(c.signed()).UTC()
	tx.More = tx.EndLSN == 0
	r.offset = int(c.number() & (1<<62 - 1))
	n := c.count()
	if c.err != nil || 2*n > len(c.rest) { // a kind and a table each
		c.fail(errShort)
		return
	}
	tx.Changes = make([]tutti.Change, n)
	for i := range tx.Changes {
		s.rows = n - i
		s.change(c, &tx.Changes[i])
	}
}

func (s *shelf) change(c *cursor, to *tutti.Change) {
	what := c.byte()
	for what == isTable && c.err == nil {
		s.learn(c)
		what = c.byte()
	}
	to.Kind = tutti.ChangeKind(what &^ (hasNew | hasOld))
	to.Table = s.tables[c.number()]
	if to.Table == nil || to.Kind < tutti.Insert || to.Kind > tutti.Truncate {
		c.fail(errUnknown)
		return
	}
	if what&hasNew != 0 {
		to.New = s.row(c, len(to.Table.Columns))
	}
	if what&hasOld != 0 {
		to.Old = s.row(c, len(to.Table.Columns))
	}
}

// row reads n values.
func (s *shelf) row(c *cursor, n int) []tutti.Value {
	const atOnce = 256
	if n > len(c.rest) { // each takes a byte
		c.fail(errShort)
		return nil
	}
	if len(s.values) < n {
		s.values = make([]tutti.Value, max(n, min(atOnce, n*s.rows, len(c.rest))))
	}
	row := s.values[:n:n]
	s.values = s.values[n:]
	for i := range row {
		switch kind := c.number(); {
		case kind < uint64(tutti.Text):
			row[i] = tutti.Value{Kind: tutti.ValueKind(kind)}
		default:
			row[i] = tutti.Value{Kind: tutti.Text, Text: c.take(kind - uint64(tutti.Text))}
		}
	}
	return row
}
