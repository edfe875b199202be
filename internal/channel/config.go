package channel

import (
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// A config is what a phx_join asks for. Protocol, section 3.2.
type config struct {
	private, self, ack bool
	presence           bool   // asked for; the tenant may turn it on all the same
	key                string // presence key, "" for one of the server's making
	replay             []byte // raw, nil when the key is absent
	replicationReady   bool
	rows               []changes.Entry // postgres_changes, in the client's order
	oldAPI             bool            // no config at all: the topic names a table
	accessToken        []byte          // raw JSON, nil when absent
	userToken          []byte
	odd                []string    // fields of the wrong type, which took their default
	span               *trace.Span // of the join; not of the payload
}

// parseConfig reads the payload of a phx_join. A value of the wrong type takes
// its default and is named in odd; a container of the wrong type is an error,
// since nothing can be known of what the client meant.
func parseConfig(payload []byte) (config, error) {
	var cfg config
	if !isObject(payload) {
		return cfg, malformed("the join payload")
	}
	cfg.accessToken, _ = phoenix.Lookup(payload, "access_token")
	cfg.userToken, _ = phoenix.Lookup(payload, "user_token")
	raw, found := phoenix.Lookup(payload, "config")
	if !found {
		cfg.oldAPI = true
		return cfg, nil
	}
	if isNull(raw) {
		return cfg, nil
	}
	if !isObject(raw) {
		return cfg, malformed("`config`")
	}
	for key, value := range phoenix.Members(raw) {
		if err := cfg.set(key, value); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

func (cfg *config) set(key string, value []byte) (err error) {
	if isNull(value) {
		return nil
	}
	switch key {
	case "private":
		cfg.private = cfg.bool("config.private", value)
	case "broadcast":
		return cfg.setBroadcast(value)
	case "presence":
		return cfg.setPresence(value)
	case "postgres_changes":
		cfg.rows, err = changes.Entries(value)
	}
	return err
}

func (cfg *config) setBroadcast(raw []byte) error {
	if !isObject(raw) {
		return malformed("`config.broadcast`")
	}
	for key, value := range phoenix.Members(raw) {
		switch key {
		case "ack":
			cfg.ack = cfg.bool("config.broadcast.ack", value)
		case "self":
			cfg.self = cfg.bool("config.broadcast.self", value)
		case "replication_ready":
			cfg.replicationReady = string(value) != "false" && !isNull(value)
		case "replay":
			cfg.replay = value
		}
	}
	return nil
}

func (cfg *config) setPresence(raw []byte) error {
	if !isObject(raw) {
		return malformed("`config.presence`")
	}
	for key, value := range phoenix.Members(raw) {
		switch key {
		case "enabled":
			cfg.presence = cfg.bool("config.presence.enabled", value)
		case "key":
			cfg.key = presenceKey(value)
		}
	}
	return nil
}

// bool reads a boolean, or its name in any letter case.
func (cfg *config) bool(field string, raw []byte) bool {
	text, isText := phoenix.Unquote(raw)
	if !isText {
		text = string(raw)
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		return true
	case "false", "", "null":
		return false
	}
	cfg.odd = append(cfg.odd, field)
	return false
}

// presenceKey returns a key as text; "" when there is none to speak of.
func presenceKey(raw []byte) string {
	if text, ok := phoenix.Unquote(raw); ok {
		if strings.TrimSpace(text) == "" {
			return ""
		}
		return text
	}
	switch raw[0] {
	case '{', '[', 'n':
		return ""
	}
	return string(raw) // a number or a boolean
}

// malformed says that a part of a join is not an object or a list, as it must.
func malformed(what string) *tutti.Error {
	return &tutti.Error{Code: tutti.UnknownErrorOnChannel, Reason: what + " must be a JSON object"}
}
