package rls

import "github.com/tutti-realtime/tutti"

// A Row is the values of a row that a plan reads. It keeps the bytes that it was
// made of, and is good for all judges of its plan.
type Row struct {
	cells []cell
}

type cellState uint8

const (
	cellUnknown cellState = iota
	cellNull
	cellKnown
)

// A cell is the value of a column.
type cell struct {
	state  cellState
	number int64 // of an integer or a boolean
	text   []byte
}

// Row returns a row as judges take it. There must be one value for each of
// Columns, in their order; what is missing, or is not as PostgreSQL writes a
// value of its type, is as good as unknown.
func (p *Plan) Row(values []tutti.Value) Row {
	cells := make([]cell, len(p.columns))
	for i := range min(len(cells), len(values)) {
		cells[i] = p.columns[i].cell(values[i])
	}
	return Row{cells: cells}
}

// Text returns the value of one of the plan's columns, by which identities are
// found, see Plan.Key. ok is false when it is not known; nil is NULL.
func (r Row) Text(column int) (text []byte, ok bool) {
	if column >= len(r.cells) || r.cells[column].state == cellUnknown {
		return nil, false
	}
	return r.cells[column].text, true
}

// cell reads a value of the column.
func (c *column) cell(v tutti.Value) cell {
	switch v.Kind {
	case tutti.Null:
		return cell{state: cellNull}
	case tutti.Text:
		if v.Text == nil {
			v.Text = []byte{}
		}
		known := cell{state: cellKnown, text: v.Text}
		ok := true
		switch {
		case c.kind.isInt():
			known.number, ok = isInteger(string(v.Text))
		case c.kind == kindBool:
			known.number, ok = isBool(string(v.Text))
		case c.kind == kindUUID:
			ok = isUUID(string(v.Text))
		case c.kind == kindDate:
			ok = isDate(string(v.Text))
		}
		if ok {
			return known
		}
	}
	return cell{}
}
