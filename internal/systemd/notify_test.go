package systemd_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti/internal/systemd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manager is a socket as systemd opens it. It returns its name, and what is said there.
func manager(t *testing.T, name string) func() string {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return func() string {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("nothing was said: %v", err)
		}
		return string(b[:n])
	}
}

func notifier(t *testing.T, variables map[string]string) systemd.Notifier {
	t.Helper()
	n, err := systemd.FromEnvironment(func(name string) string { return variables[name] }, 7)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAServiceIsHeard(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{
		"at a path":            filepath.Join(t.TempDir(), "notify"),
		"at an abstract name":  "@tutti-test-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		"at a path with signs": filepath.Join(t.TempDir(), "no tify@"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heard := manager(t, socket)
			n := notifier(t, map[string]string{"NOTIFY_SOCKET": socket})
			if err := n.Notify(t.Context(), systemd.Ready, systemd.Status("two\nlines")); err != nil {
				t.Fatal(err)
			}
			if got, want := heard(), "READY=1\nSTATUS=two lines"; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		})
	}
}

func TestWithoutAManagerNothingIsSaid(t *testing.T) {
	t.Parallel()
	n := notifier(t, map[string]string{"WATCHDOG_USEC": "1000"})
	if err := n.Notify(t.Context(), systemd.Ready); err != nil {
		t.Errorf("Notify: %v", err)
	}
	if err := n.Watch(t.Context(), nil); err != nil {
		t.Errorf("Watch: %v", err)
	}
}

func TestAManagerThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	n := notifier(t, map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "gone"), "WATCHDOG_USEC": "1000"})
	if err := n.Notify(t.Context(), systemd.Ready); err == nil {
		t.Error("Notify succeeded")
	}
	if err := n.Watch(t.Context(), func(context.Context) error { return nil }); err == nil {
		t.Error("Watch went on")
	}
}

// One message that gets lost is no reason to have a server killed that is alive.
func TestAManagerThatIsGoneForAMomentIsToldAgain(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	n := notifier(t, map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "40000"})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	calls, heard, ended := 0, make(chan func() string, 1), make(chan error, 1)
	go func() {
		ended <- n.Watch(ctx, func(context.Context) error {
			if calls++; calls == 2 {
				heard <- manager(t, socket)
			}
			return nil
		})
	}()
	select {
	case hear := <-heard:
		if got := hear(); got != "WATCHDOG=1" {
			t.Errorf("heard %q", got)
		}
	case err := <-ended:
		t.Fatalf("Watch gave up: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Watch ended with %v", err)
	}
}

func TestVariablesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, variables := range map[string]map[string]string{
		"NOTIFY_SOCKET=relative":          {"NOTIFY_SOCKET": "relative"},
		"WATCHDOG_USEC=soon":              {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"},
		"WATCHDOG_USEC=-5":                {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "-5"},
		"WATCHDOG_USEC=92233720368547758": {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "92233720368547758"}, // overflows nanoseconds
	} {
		_, err := systemd.FromEnvironment(func(name string) string { return variables[name] }, 7)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestTheWatchdogIsFedWhileTheProcessLives(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	heard := manager(t, socket)
	n := notifier(t, map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "7"})
	tests := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- n.Watch(ctx, func(ctx context.Context) error {
			select {
			case err := <-tests:
				return err
			case <-ctx.Done():
				return errors.New("no answer")
			}
		})
	}()
	tests <- nil
	if got := heard(); got != "WATCHDOG=1" {
		t.Errorf("a live process said %q", got)
	}
	tests <- errors.New("loop 1 stands still")
	if got := heard(); got != "STATUS=not alive: loop 1 stands still" {
		t.Errorf("a process that stands still said %q", got)
	}
	if got := heard(); got != "STATUS=not alive: no answer" { // nobody answered in time
		t.Errorf("a process that does not answer said %q", got)
	}
	tests <- nil
	for got := heard(); got != "WATCHDOG=1"; got = heard() {
		if !strings.HasPrefix(got, "STATUS=not alive") {
			t.Errorf("a process that lives again said %q", got)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Watch ended with %v", err)
	}
}

func TestTheWatchdogOfAParentIsNotOurs(t *testing.T) {
	t.Parallel()
	n := notifier(t, map[string]string{"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "8"})
	if err := n.Watch(t.Context(), nil); err != nil {
		t.Errorf("Watch: %v", err)
	}
}
