package tutti

import "testing"

func TestWhatOnlyRoomsSay(t *testing.T) {
	t.Parallel()
	e := Extension{Reserved: []string{"beat", "interval", "take_over"}}
	for name, want := range map[string]bool{
		"beat":            true,
		"Beat":            true,
		"TAKE_OVER":       true,
		"tA\u212Ae_over":  true, // the sign for Kelvin is a k to clients
		"\u0130nterval":   true, // a capital i in Turkish
		"EXTENSION_ERROR": true,
		"beats":           false,
		"bea":             false,
		"":                false,
		"beat ":           false,
	} {
		if got := e.Reserves(name); got != want {
			t.Errorf("%q is reserved: %v", name, got)
		}
	}
}
