package music

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// fields reads the fields of a payload and remembers the first that is wrong. A
// field that nobody asks for may be anything, so that clients can be newer than
// the server.
type fields struct {
	raw   map[string]json.RawMessage
	fault *Refusal
}

func readFields(payload []byte) fields {
	var f fields
	if err := json.Unmarshal(payload, &f.raw); err != nil || f.raw == nil {
		f.fault = refuse(BadPayload, "the payload must be a JSON object")
	}
	return f
}

func (f *fields) wrong(format string, args ...any) {
	if f.fault == nil {
		f.fault = refuse(BadPayload, format, args...)
	}
}

// err returns the refusal as an error, nil if there is none.
func (f *fields) err() error {
	if f.fault == nil {
		return nil
	}
	return f.fault
}

// get returns a field's JSON, and whether it is there. Null is not.
func (f *fields) get(name string) (json.RawMessage, bool) {
	text, there := f.raw[name]
	return text, there && string(text) != "null"
}

// fixed reads a number of so many decimals, otherwise it is absent.
func (f *fields) fixed(name string, digits int, low, high, absent int64) int64 {
	text, there := f.get(name)
	if !there {
		return absent
	}
	v, err := parseFixed(string(text), digits, max(high, -low))
	switch {
	case errors.Is(err, errNotNumber):
		f.wrong("%s must be a number", name)
	case err != nil || v < low || v > high:
		f.wrong("%s must be from %s to %s", name, fixed(low, digits), fixed(high, digits))
	}
	return v
}

// whole reads a number without a fraction.
func (f *fields) whole(name string, low, high, absent int64) int64 {
	const digits = 6 // enough to see a fraction
	text, there := f.get(name)
	v := f.fixed(name, digits, low*1e6, high*1e6, absent*1e6)
	if there && v%1e6 != 0 {
		f.wrong("%s must be a whole number, not %s", name, text)
	}
	return v / 1e6
}

// text reads a string of some characters at most.
func (f *fields) text(name string, longest int) string {
	var v string
	raw, there := f.get(name)
	if !there {
		return ""
	}
	if json.Unmarshal(raw, &v) != nil {
		f.wrong("%s must be a string", name)
	}
	if utf8.RuneCountInString(v) > longest {
		f.wrong("%s must have %d characters at most", name, longest)
	}
	return v
}

// need refuses a payload that lacks a field.
func (f *fields) need(name string) {
	if _, there := f.get(name); !there {
		f.wrong("%s is missing", name)
	}
}
