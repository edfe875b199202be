package tenant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A cast reads the fields of a request and notes what is wrong with them. As in
// the reference a number or a truth value may come as text, empty text counts as
// null, and null stands for the default. A field that was not given is left.
type cast struct {
	given map[string]json.RawMessage
	wrong Invalid
}

// look returns the value of a field, nil for null. What is not there is not ok.
func (c *cast) look(name string) (value any, ok bool) {
	raw, ok := c.given[name]
	if !ok {
		return nil, false
	}
	value = decode(raw)
	if s, is := value.(string); is && strings.TrimSpace(s) == "" {
		value = nil
	}
	if holdsNUL(value) { // no database keeps it
		c.wrong.add(name, notValid)
		return nil, false
	}
	return value, true
}

// decode returns a valid JSON value whose numbers stay as they were written.
func decode(raw json.RawMessage) (value any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil
	}
	return value
}

func holdsNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, "\x00")
	case []any:
		if slices.ContainsFunc(v, holdsNUL) {
			return true
		}
	case map[string]any:
		for name, item := range v {
			if holdsNUL(name) || holdsNUL(item) {
				return true
			}
		}
	}
	return false
}

func (c *cast) text(name string, to *string, standard string) {
	value, ok := c.look(name)
	switch v := value.(type) {
	case nil:
		if ok {
			*to = standard
		}
	case string:
		*to = v
	default:
		c.wrong.add(name, notValid)
	}
}

func (c *cast) truth(name string, to *bool) {
	value, ok := c.look(name)
	switch value {
	case nil:
		if ok {
			*to = false
		}
	case true, "true", "1":
		*to = true
	case false, "false", "0":
		*to = false
	default:
		c.wrong.add(name, notValid)
	}
}

// count reads a number from 0 to what a control database can hold.
func (c *cast) count(name string, to *int, standard int) {
	value, ok := c.look(name)
	var digits string
	switch v := value.(type) {
	case nil:
		if ok {
			*to = standard
		}
		return
	case string:
		digits = v
	case json.Number:
		digits = v.String()
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil && !tooLarge(err):
		c.wrong.add(name, notValid)
	case n < 0:
		c.wrong.add(name, "must be greater than or equal to 0")
	case n > math.MaxInt32:
		c.wrong.add(name, fmt.Sprintf("must be less than or equal to %d", math.MaxInt32))
	default:
		*to = int(n)
	}
}

// tooLarge reports whether a whole number is out of reach; ParseInt has put the
// nearest one in its place.
func tooLarge(err error) bool {
	return strings.HasSuffix(err.Error(), strconv.ErrRange.Error())
}

func (c *cast) flags(name string, to *map[string]bool) {
	value, ok := c.look(name)
	switch v := value.(type) {
	case nil:
		if ok {
			*to = nil
		}
	case map[string]any:
		flags := make(map[string]bool, len(v))
		for flag, on := range v {
			b, is := on.(bool)
			if !is {
				c.wrong.add(name, "must have nothing but true and false in it")
				return
			}
			flags[flag] = b
		}
		*to = flags
	default:
		c.wrong.add(name, notValid)
	}
}

func (c *cast) keySet(name string, to *json.RawMessage) {
	value, ok := c.look(name)
	switch v := value.(type) {
	case nil:
		if ok {
			*to = nil
		}
	case map[string]any:
		if _, is := v["keys"].([]any); !is {
			c.wrong.add(name, `must be a JSON Web Key Set, {"keys": [...]}`)
			return
		}
		var compact bytes.Buffer
		if json.Compact(&compact, c.given[name]) == nil {
			*to = compact.Bytes()
		}
	default:
		c.wrong.add(name, notValid)
	}
}
