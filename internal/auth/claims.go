package auth

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A moment is a claim that counts seconds since 1970. Times that no clock will
// show are cut off at farPast and farFuture, so that differences do not overflow.
type moment struct {
	rounded int64
	ceiling int64 // a whole second is before the moment iff it is before this
	whole   bool  // written as an integer
}

const (
	farFuture = int64(1) << 62
	farPast   = -farFuture
)

// momentOf reads a claim that must be a number.
func momentOf(value json.RawMessage) (m moment, ok bool) {
	if len(value) == 0 || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return moment{}, false
	}
	if !bytes.ContainsAny(value, ".eE") {
		n, _ := strconv.ParseInt(string(value), 10, 64) // the nearest int64 when out of range
		n = min(max(n, farPast), farFuture)
		return moment{rounded: n, ceiling: n, whole: true}, true
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return moment{}, false
	}
	f = min(max(f, float64(farPast)), float64(farFuture))
	return moment{rounded: int64(math.Round(f)), ceiling: int64(math.Ceil(f))}, true
}

// A validator holds the value that a claim must have.
type validator struct {
	claim string
	want  any // as json.Decoder.UseNumber gives it
}

// newValidators takes values from wherever settings come from; what counts is
// the JSON they are written as. They stand in the order of the claims' names.
func newValidators(wanted map[string]any) ([]validator, error) {
	var all []validator
	for _, claim := range slices.Sorted(maps.Keys(wanted)) {
		text, err := json.Marshal(wanted[claim])
		if err != nil {
			return nil, err
		}
		want, err := decodeValue(text)
		if err != nil {
			return nil, err
		}
		all = append(all, validator{claim: claim, want: want})
	}
	return all, nil
}

func (v validator) accepts(got json.RawMessage) bool {
	value, err := decodeValue(got)
	return err == nil && equal(value, v.want)
}

// decodeValue keeps numbers as they are written: an id of 20 digits is not its
// neighbour.
func decodeValue(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// equal compares two JSON values. Numbers are equal when they stand for the
// same number, arrays in order, objects by member.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && equalNumbers(string(a), string(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	}
	switch b.(type) {
	case []any, map[string]any:
		return false // not comparable
	}
	return a == b
}

// equalNumbers compares integers exactly and all else as float64, because an
// exact value of 1e999999999 would fill the memory.
func equalNumbers(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil || x != y {
		return false
	}
	// Two different integers may share a float64; only 0 is written in two ways.
	return x == 0 || strings.ContainsAny(a+b, ".eE")
}
