package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A section of the reference is about a place.
type section struct {
	place      Place
	title, say string
}

// sections are in the order of the reference.
var sections = []section{
	{Connection, "The connection is refused", "Browsers do not show the answer to a refused WebSocket, only close code 1006. Ask for the same address with `curl` to\n" +
		"read it, or open the console at `/`, which does so for you."},
	{Join, "A join is refused", "The reason in the reply begins with the code. The reply waits five seconds (`CHANNEL_ERROR_BACKOFF_MS`), so that\nclients that retry at once do no harm."},
	{Channel, "A channel is told", "A `system` message says why. Where the channel cannot go on, `phx_close` follows; the socket and its other\nchannels live on."},
	{Changes, "Database changes", "A `system` message with the extension `postgres_changes`, which names the code. The channel lives on."},
	{HTTP, "Over HTTP", "The body is `{\"message\": …}`, or `{\"errors\": {field: […]}}` with status 422. The console at `/admin` answers\n`{\"error\": …, \"code\": …, \"cure\": …}`. A status of 503 means that the node has more to do than it\ncan, or that what it needs does not answer: come again, after what `Retry-After` says where it is there."},
	{Extension, "Rooms of extensions", "The event `extension_error` of the room, to whoever sent what was not done."},
	{Music, "The music room", "The event `refused`, to whoever sent what was not obeyed. See [music.md](music.md)."},
	{Database, "A tenant's database", "In the log, and from `tutti doctor TENANT`, which names the statement that cures."},
	{Node, "In the log of a node", "As `error_code`. What a client was told stands under the headings above."},
	{Dev, "`tutti dev` does not start", "Its private PostgreSQL could not."},
}

// Markdown writes the reference: a section for each place, a row for each code.
func Markdown(w io.Writer) error {
	var b strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", s.title, s.say)
		entries := slices.DeleteFunc(All(), func(e Entry) bool { return !slices.Contains(e.Seen, s.place) })
		withText := s.place == Connection || s.place == Channel || s.place == HTTP
		if withText {
			b.WriteString("| code | shown as | cause | cure |\n|---|---|---|---|\n")
		} else {
			b.WriteString("| code | cause | cure |\n|---|---|---|\n")
		}
		for _, e := range entries {
			row := []string{"`" + e.Code + "`"}
			if withText {
				row = append(row, e.shown(s.place))
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(append(row, cell(e.Cause), cell(e.Cure)), " | "))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shown returns how a client sees an error: its status, where it has one, and text.
func (e Entry) shown(at Place) string {
	text := cell(e.Text)
	if e.Status > 0 && at != Channel {
		return strings.TrimSpace(fmt.Sprint(e.Status, " ", text))
	}
	return text
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
