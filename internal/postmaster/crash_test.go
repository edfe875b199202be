//go:build unix

package postmaster

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keeper starts this binary as a process that keeps a PostgreSQL in dir, and
// returns it when the PostgreSQL is ready.
func keeper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), keeperVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("the keeper said %q (%v)", line, err)
	}
	return cmd
}

// gone waits until a process that is not our child does not serve dir any more.
func gone(t *testing.T, pid int, dir string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); serves(pid, filepath.Join(dir, dataName)); <-tick.C {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestOurDeathIsThatOfPostgreSQL(t *testing.T) {
	t.Parallel()
	dir := folderFor(t)
	k := keeper(t, dir)
	pid := pidOf(t, dir)
	if !serves(pid, filepath.Join(dir, dataName)) {
		t.Fatalf("process %d is not the PostgreSQL", pid)
	}
	if err := k.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = k.Wait()
	gone(t, pid, dir)
	start(t, Config{Dir: dir, Throwaway: true}) // and the folder is usable
}

func TestStartRightAfterOurDeath(t *testing.T) {
	t.Parallel()
	dir := folderFor(t)
	for range 3 {
		k := keeper(t, dir)
		if err := k.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = k.Wait()
		stop(t, start(t, Config{Dir: dir, Throwaway: true}))
	}
}

func TestInterruptStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	dir := folderFor(t)
	k := keeper(t, dir)
	pid := pidOf(t, dir)
	// As a terminal does: to the whole process group.
	if err := syscall.Kill(-k.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := k.Wait(); err != nil {
		t.Fatal(err)
	}
	if serves(pid, filepath.Join(dir, dataName)) {
		t.Error("PostgreSQL still runs")
	}
	log, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil || !strings.Contains(string(log), "database system is shut down") {
		t.Errorf("PostgreSQL was not shut down in good order (%v):\n%s", err, log)
	}
}

func TestStartAfterACrash(t *testing.T) {
	t.Parallel()
	for name, pid := range map[string]int{
		"its process number is another process's now": os.Getpid(),
		"its process number is nobody's":              1 << 30,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folderFor(t)
			s := start(t, Config{Dir: dir, Throwaway: true})
			port := strconv.Itoa(s.Port())
			stop(t, s)
			lines := []string{strconv.Itoa(pid), s.folder.data(), "1700000000", port, s.Sockets(), "127.0.0.1", ""}
			write(t, filepath.Join(dir, dataName, "postmaster.pid"), strings.Join(lines, "\n"))
			write(t, filepath.Join(dir, socketsName, ".s.PGSQL."+port+".lock"), strings.Join(lines, "\n"))
			write(t, filepath.Join(dir, newName, "half"), "made")
			start(t, Config{Dir: dir, Throwaway: true, Port: s.Port()})
		})
	}
	t.Run("its postmaster.pid is half written", func(t *testing.T) {
		t.Parallel()
		dir := folderFor(t)
		stop(t, start(t, Config{Dir: dir, Throwaway: true}))
		write(t, filepath.Join(dir, dataName, "postmaster.pid"), "")
		start(t, Config{Dir: dir, Throwaway: true})
	})
}

func TestStartStopsAnOrphan(t *testing.T) {
	t.Parallel()
	dir := folderFor(t)
	s := start(t, Config{Dir: dir, Throwaway: true})
	// One that nothing ties to our life, running when its owner gives up the lock.
	if err := s.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(s.programs.postgres(), s.arguments()...)
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(s.account)
	log, err := os.Create(filepath.Join(folderFor(t), "log"))
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := launch(cmd, log)
	if err != nil {
		t.Fatal(err)
	}
	<-orphan.ready
	stop(t, s)

	start(t, Config{Dir: dir, Throwaway: true})
	<-orphan.done
	if !orphan.said("database system is shut down") {
		t.Errorf("the orphan was not shut down in good order: %q", orphan.last)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	folders := map[string]struct {
		age    time.Time
		locked bool
		stays  bool
	}{
		"tutti-postgres-left":   {age: old},
		"tutti-postgres-in-use": {age: old, locked: true, stays: true},
		"tutti-postgres-new":    {age: time.Now(), stays: true},
		"of-somebody-else":      {age: old, stays: true},
	}
	for name, tt := range folders {
		path := filepath.Join(dir, name)
		write(t, filepath.Join(path, "file"), "x")
		if tt.locked {
			lock, err := takeLock(path)
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
		}
		if err := os.Chtimes(path, tt.age, tt.age); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	for name, tt := range folders {
		_, err := os.Stat(filepath.Join(dir, name))
		if stays := !errors.Is(err, os.ErrNotExist); stays != tt.stays {
			t.Errorf("%s: stays is %v, want %v", name, stays, tt.stays)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	// The watch of a process that ends while we live does it no harm.
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release, err := watch(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the process ended by %v, want by our signal", err)
	}
}
