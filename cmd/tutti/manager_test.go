package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server that a service manager started says what becomes of it.
func TestAManagerHearsWhatBecomesOfTheServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "")
	ctx, stop := context.WithCancel(t.Context())
	m := openManager(slog.New(slog.DiscardHandler))
	m.waits(ctx)
	ended := make(chan struct{})
	go func() {
		m.attend(ctx, "http://here", func(context.Context) error { return errors.New("nobody asks") })
		close(ended)
	}()
	hears := func(want string) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 1024)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("heard %q (%v), want %q", b[:n], err, want)
		}
	}
	hears("STATUS=waits for its control database")
	hears("READY=1\nSTATUS=serves http://here")
	stop()
	hears("STOPPING=1\nSTATUS=stops, and lets its clients go")
	<-ended
}

// A manager that makes no sense, or has gone, is no reason not to serve.
func TestAServerWorksWithoutItsManager(t *testing.T) {
	for _, socket := range []string{"relative", filepath.Join(t.TempDir(), "gone")} {
		t.Setenv("NOTIFY_SOCKET", socket)
		var log strings.Builder
		m := openManager(slog.New(slog.NewTextHandler(&log, nil)))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		m.attend(ctx, "http://here", nil)
		if !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("%s: nobody was told: %q", socket, log.String())
		}
	}
}
