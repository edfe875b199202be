package app

import (
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// What must not be in the log, whoever put it into a text: tokens, API keys,
// passwords. Each expression looks for what no word of ours looks like.
var (
	// Two parts are enough: a token may have been cut.
	tokens = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}(\.[A-Za-z0-9_-]*){0,4}`)
	// Keys of Supabase that are no tokens.
	opaqueKeys = regexp.MustCompile(`\bsb_(secret|publishable)_[A-Za-z0-9_-]+`)
	// In URLs, connection strings and headers: name=value.
	assigned = regexp.MustCompile(`(?i)\b([a-z_-]*(?:apikey|api_key|api-key|token|password|passwd|secret)[a-z_-]*=)("[^"]*"|'[^']*'|[^\s&"'<>]+)`)
	// In JSON: "name":"value", also with its quotes escaped.
	member = regexp.MustCompile(`(?i)(\\?"[a-z_-]*(?:apikey|api_key|api-key|token|password|passwd|secret|authorization|jwks)[a-z_-]*\\?"\s*:\s*\\?")[^"\\]+`)
	bearer = regexp.MustCompile(`(?i)\b((?:bearer|basic) +)[A-Za-z0-9._~+/=-]{8,}`)
	// postgres://user:password@host
	login = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`)
)

const removed = "[removed]"

// scrub returns a text without secrets.
func scrub(text string) string {
	if strings.Contains(text, "eyJ") {
		text = tokens.ReplaceAllLiteralString(text, removed)
	}
	if strings.Contains(text, "sb_") {
		text = opaqueKeys.ReplaceAllLiteralString(text, removed)
	}
	if strings.Contains(text, "=") {
		text = assigned.ReplaceAllString(text, "${1}"+removed)
	}
	if strings.Contains(text, `"`) {
		text = member.ReplaceAllString(text, "${1}"+removed)
	}
	if strings.Contains(text, "://") {
		text = login.ReplaceAllString(text, "${1}"+removed+"@")
	}
	return bearer.ReplaceAllString(text, "${1}"+removed)
}

// quoted is the value that PostgreSQL shows when it has no use for it, such as
// in: invalid input syntax for type uuid: "…". It may be of a row or a claim.
var quoted = regexp.MustCompile(`(?s): ".*"`)

// errorText returns the text of an error without the values that PostgreSQL
// quotes.
func errorText(err error) string {
	text := err.Error()
	for e := range databaseErrors(err) {
		if message := quoted.ReplaceAllLiteralString(e.Message, ": [value]"); message != e.Message {
			text = strings.ReplaceAll(text, e.Message, message)
		}
	}
	return text
}

// databaseErrors goes through what PostgreSQL has to do with an error, which may
// be several joined.
func databaseErrors(err error) func(yield func(*pgconn.PgError) bool) {
	return func(yield func(*pgconn.PgError) bool) { walk(err, yield) }
}

func walk(err error, yield func(*pgconn.PgError) bool) bool {
	if e, is := err.(*pgconn.PgError); is { //nolint:errorlint // each of the tree is looked at
		return yield(e)
	}
	if many, is := err.(interface{ Unwrap() []error }); is {
		for _, one := range many.Unwrap() {
			if !walk(one, yield) {
				return false
			}
		}
		return true
	}
	if below := errors.Unwrap(err); below != nil {
		return walk(below, yield)
	}
	return true
}
