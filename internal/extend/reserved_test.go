package extend

import (
	"log/slog"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

func TestAForgedEventIsCounted(t *testing.T) {
	t.Parallel()
	h := &Host{Log: slog.New(slog.DiscardHandler), Extensions: []tutti.Extension{
		{Key: "choir", Rooms: func(_ any, topic string) bool { return topic == "choir" }, Reserved: []string{"song"}},
		{Key: "band", Rooms: func(_ any, topic string) bool { return topic == "band" }, Reserved: []string{"solo"}},
	}}
	both := &tutti.Tenant{ExternalID: "both", Extensions: []tutti.TenantExtension{{Type: "choir"}, {Type: "band"}}}
	one := &tutti.Tenant{ExternalID: "one", Extensions: []tutti.TenantExtension{{Type: "choir"}}}
	for name, tt := range map[string]struct {
		tenant       *tutti.Tenant
		topic, event string
		want         bool
	}{
		"the word of the room":               {both, "choir", "song", true},
		"the word of another room":           {both, "choir", "solo", false},
		"a word of nobody":                   {both, "band", "chat", false},
		"a topic that is no room":            {both, "hall", "song", false},
		"a room of an extension that is off": {one, "band", "solo", false},
		"a room of one that is on":           {one, "choir", "Song", true},
	} {
		topic := tutti.Topic{Tenant: tt.tenant.ExternalID, Name: tt.topic}
		if got := h.Forged(tt.tenant, topic, tt.event, broadcast.FromHTTP); got != tt.want {
			t.Errorf("%s: forged is %v", name, got)
		}
		if guarded := h.Guarded(tt.tenant, topic); tt.want && !guarded || guarded && tt.topic == "hall" {
			t.Errorf("%s: guarded is %v", name, guarded)
		}
	}
	if http, client := h.forged[broadcast.FromHTTP].Load(), h.forged[broadcast.FromClient].Load(); http != 2 || client != 0 {
		t.Errorf("%d and %d were counted", http, client)
	}
}
