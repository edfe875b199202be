package tenant

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestAnExtensionChecksItsSettings(t *testing.T) {
	t.Parallel()
	d := StandardDefaults()
	d.Extensions = []tutti.Extension{{Key: "band", Settings: func(s map[string]any) (any, error) {
		switch s["size"] {
		case "wrong":
			return nil, errors.New("setting size must be a number")
		case "odd":
			panic("odd")
		}
		return s, nil
	}}}
	for name, tt := range map[string]struct{ extensions, want string }{
		"settings that are right":            {`[{"type":"band","settings":{"size":3}}]`, ""},
		"settings that are wrong":            {`[{"type":"band","settings":{"size":"wrong"}}]`, "setting size must be a number"},
		"settings that make it panic":        {`[{"type":"band","settings":{"size":"odd"}}]`, "the settings made the extension panic: odd"},
		"an extension that nobody knows":     {`[{"type":"choir","settings":{"size":"wrong"}}]`, ""},
		"settings that are not there at all": {`[{"type":"band"}]`, blank},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := d.Revise(nil, "acme", json.RawMessage(`{"jwt_secret":"s","extensions":`+tt.extensions+`}`), time.Now())
			if tt.want == "" {
				if err != nil {
					t.Fatalf("%v", err)
				}
				return
			}
			invalid, ok := errors.AsType[Invalid](err)
			if want := (Invalid{"extensions": []Invalid{{"settings": []string{tt.want}}}}); !ok || !reflect.DeepEqual(invalid, want) {
				t.Errorf("got %v, want %v", invalid, want)
			}
		})
	}
}
