package tutti_test

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestSlotNames(t *testing.T) {
	long := strings.Repeat("s", 80)
	for name, tt := range map[string]struct {
		database     tutti.Database
		suffix, want string
	}{
		"the usual database":                       {tutti.Database{Slot: "slot", Name: "postgres"}, "", "slot_tutti"},
		"with a suffix":                            {tutti.Database{Slot: "slot", Name: "postgres"}, "blue", "slot_tutti_blue"},
		"another of a server":                      {tutti.Database{Slot: "slot", Name: "app"}, "", "slot_tutti_1f6a832c"},
		"what tells it apart stays in a long name": {tutti.Database{Slot: long, Name: "app"}, "blue", long[:63-len("_tutti_1f6a832c_blue")] + "_tutti_1f6a832c_blue"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.database.SlotName(tt.suffix); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
