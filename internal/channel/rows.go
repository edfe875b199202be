package channel

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// A rowsEntry is one element of postgres_changes as the client wrote it.
type rowsEntry struct {
	raw []byte
	id  uint32
}

// parseRows reads a list of postgres_changes. Nulls in it are passed over.
func parseRows(raw []byte) ([]rowsEntry, error) {
	var entries []rowsEntry
	for value := range phoenix.Elements(raw) {
		if isNull(value) {
			continue
		}
		if !isObject(value) {
			return nil, malformed("each entry of `config.postgres_changes`")
		}
		entries = append(entries, rowsEntry{value, rowsID(value)})
	}
	if entries == nil && raw[0] != '[' {
		return nil, &tutti.Error{Code: tutti.UnknownErrorOnChannel, Reason: "`config.postgres_changes` must be a list of JSON objects"}
	}
	return entries, nil
}

// rowsID returns the number by which a client recognises what an entry asked
// for: equal for equal entries, never zero, below 2^27. Protocol, section 3.5.
func rowsID(raw []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(raw)
	return h.Sum32()&(1<<27-1) | 1
}

// impliedRows is the subscription that a join of the old kind means, whose
// topic names schema, table and filter. Protocol, section 3.4.
func impliedRows(name string) []rowsEntry {
	raw := []byte{'{'}
	for i, part := range strings.SplitN(name, ":", 3) {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, [...]string{`"schema":`, `"table":`, `"filter":`}[i]...)
		raw = phoenix.AppendString(raw, part)
	}
	raw = append(raw, '}')
	return []rowsEntry{{raw, rowsID(raw)}}
}

// appendRows appends the response of a join: each entry exactly as it came, and
// its id.
func appendRows(dst []byte, entries []rowsEntry) []byte {
	dst = append(dst, `{"postgres_changes":[`...)
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		body := strings.TrimRight(strings.TrimSuffix(string(e.raw), "}"), " \t\r\n")
		dst = append(dst, body...)
		if !strings.HasSuffix(body, "{") {
			dst = append(dst, ',')
		}
		dst = append(dst, `"id":`...)
		dst = append(strconv.AppendUint(dst, uint64(e.id), 10), '}')
	}
	return append(dst, `]}`...)
}

// noRows is the text for an entry that this server cannot serve.
func noRows(e rowsEntry) string {
	field := func(key, missing string) string {
		if raw, ok := phoenix.Lookup(e.raw, key); ok {
			if text, ok := phoenix.Unquote(raw); ok {
				return text
			}
		}
		return missing
	}
	schema, table := field("schema", "public"), field("table", "*")
	return "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: " +
		strings.ToUpper(field("event", "*")) + ", schema: " + schema + ", table: " + table + ", filters: [], select: nil]"
}
