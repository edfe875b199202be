package music

import (
	"log/slog"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// A nopRoom sends nothing.
type nopRoom struct {
	tutti.Room
	t *testing.T
}

func (nopRoom) Broadcast(string, []byte) {}
func (nopRoom) Skew() (tutti.Skew, bool) { return tutti.Skew{}, false }
func (nopRoom) Log() *slog.Logger        { return slog.New(slog.DiscardHandler) }
