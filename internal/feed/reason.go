package feed

import (
	"regexp"
	"strings"
)

// quotedValue is what PostgreSQL could not read, at the end of its message.
var quotedValue = regexp.MustCompile(`(?s): ".*"`)

// reasonOf returns why a subscription was refused, as it may be logged: without
// the values that its client compares columns with. The client is told all.
func reasonOf(err error) string {
	const from, to = ", filters: [", "], select: "
	text := quotedValue.ReplaceAllLiteralString(err.Error(), ": [value]")
	start := strings.Index(text, from)
	if end := strings.LastIndex(text, to); start >= 0 && start < end {
		text = text[:start] + from + "..." + text[end:]
	}
	return text
}
