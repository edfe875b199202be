package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
)

// longestBody is the largest body in bytes that is read.
const longestBody = 1 << 20

// readBody reads a JSON object into the struct that into points to. A name that the
// struct does not have is refused: misspelt, it would mean something else. An
// empty body is an empty object.
func readBody(v *visit, into any) error {
	kind, _, err := mime.ParseMediaType(v.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return errNotJSON
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, v.Body, longestBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return malformed(err)
	case len(bytes.TrimSpace(body)) == 0:
		body = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return malformed(err)
	}
	if d.More() {
		return malformed(errors.New("there is more than one value"))
	}
	return nil
}

// malformed says why a body was not understood.
func malformed(err error) *Fault {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return invalid(map[string][]string{wrong.Field: {"is invalid"}})
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, unknown := strings.CutPrefix(text, "unknown field "); unknown {
		if plain, err := strconv.Unquote(name); err == nil {
			return invalid(map[string][]string{plain: {"is unknown"}})
		}
	}
	return &Fault{
		Status: http.StatusBadRequest, Code: "MalformedBody", Message: "The body is not a JSON object that makes sense: " + text,
		Cure: "Send what the documentation of the path says",
	}
}

// note logs that somebody did something about a tenant.
func (c *Console) note(v *visit, action, tenant string, more ...slog.Attr) {
	c.Log.LogAttrs(v.Context(), slog.LevelInfo, "tenant managed", append([]slog.Attr{
		slog.String("who", v.who), slog.String("action", action), slog.String("tenant", tenant),
		slog.String("remote", c.Gate.Address(v.Request).String()),
	}, more...)...)
}

// A kickRequest says who is thrown out; nothing means all of the tenant.
type kickRequest struct {
	User    string `json:"user"`
	Topic   string `json:"topic"`
	Private *bool  `json:"private"`
	Bare    bool   `json:"bare"`
	Ref     string `json:"ref"` // of a member of the topic
}

func (c *Console) kick(w http.ResponseWriter, v *visit) error {
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	var k kickRequest
	if err := readBody(v, &k); err != nil {
		return err
	}
	wrong := map[string][]string{}
	if k.Topic == "" && (k.Private != nil || k.Ref != "") {
		wrong["topic"] = []string{"can't be blank"}
	}
	if k.Ref != "" && k.User != "" {
		wrong["ref"] = []string{"can't be given with user"}
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	n := 0
	if k.Ref != "" {
		n, err = c.kickMember(v, t, &k)
	} else {
		n, err = c.Expel(v.Context(), t.ExternalID, channel.Who{Subject: k.User, Topic: k.Topic, Private: k.Private})
	}
	if err != nil {
		return fmt.Errorf("throw clients of tenant %q out: %w", t.ExternalID, err)
	}
	c.note(v, "disconnect", t.ExternalID, slog.String("topic", k.Topic), slog.Bool("user", k.User != ""), slog.Int("count", n))
	answer(w, http.StatusOK, map[string]int{"disconnected": n})
	return nil
}

// kickMember throws a single channel out, on whichever node it is.
func (c *Console) kickMember(v *visit, t *tutti.Tenant, k *kickRequest) (int, error) {
	node, text, found := cutLast(k.Ref, "/")
	id, err := strconv.ParseUint(text, 10, 64)
	if !found || err != nil {
		return 0, invalid(map[string][]string{"ref": {"is invalid"}})
	}
	topic := tutti.Topic{Tenant: t.ExternalID, Name: k.Topic, Private: k.Private != nil && *k.Private, Bare: k.Bare}
	q := &question{Kind: askMember, Topic: &topic, Member: id}
	if node == c.node() {
		r, err := c.reply(v.Context(), q)
		return r.Done, err
	}
	payload, err := json.Marshal(q)
	if err != nil {
		return 0, err
	}
	replies, silent, err := c.Bus.Ask(v.Context(), node, Call, payload)
	var r reply
	switch {
	case err != nil:
		return 0, err
	case len(silent) > 0 || len(replies) == 0:
		return 0, &Fault{
			Status: http.StatusGatewayTimeout, Code: "ClusterNodesSilent", Message: "The node " + node + " does not answer",
			Cure: "See whether it is still there, and try again",
		}
	case replies[0].Err != nil:
		return 0, replies[0].Err
	}
	err = json.Unmarshal(replies[0].Payload, &r)
	return r.Done, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (c *Console) reload(w http.ResponseWriter, v *visit) error {
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	if err := readBody(v, &struct{}{}); err != nil {
		return err
	}
	if _, _, err := c.ask(v.Context(), &question{Kind: askRefresh, Tenant: t.ExternalID}); err != nil {
		return err
	}
	if err := c.Reload(v.Context(), t.ExternalID); err != nil {
		return fmt.Errorf("reload tenant %q: %w", t.ExternalID, err)
	}
	c.note(v, "reload", t.ExternalID)
	answer(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}
