package postmaster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What stands in a folder of ours.
const (
	lockName     = "lock"         // held as long as a Server uses the folder
	dataName     = "data"         // the cluster
	newName      = "data.new"     // a cluster in the making
	passwordName = "password"     // of Superuser
	socketsName  = "sockets"      // the unix socket, unless its path would be too long
	logName      = "postgres.log" // and the one before, with ".1"
	binariesName = "binaries"     // fetched programs
)

const (
	temporaryPattern = "tutti-postgres-*"
	socketsPattern   = "tutti-sockets-*"
	// longest is what fits into the address of a unix socket on every system
	// that we know: 104 bytes on macOS, the last of them zero.
	longest = 103
)

// A folder is what holds a PostgreSQL on disk. Whoever has opened it holds its
// lock, which the kernel takes away from a process that dies.
type folder struct {
	dir       string // absolute, without symbolic links
	sockets   string
	temporary bool // delete it at the end
	lock      *os.File
}

func (f *folder) path(name ...string) string {
	return filepath.Join(append([]string{f.dir}, name...)...)
}

func (f *folder) data() string { return f.path(dataName) }

// openFolder makes dir if necessary and takes its lock. "" makes a temporary one.
func openFolder(dir string) (f folder, err error) {
	if dir == "" {
		sweep(os.TempDir())
		f.temporary = true
		dir, err = os.MkdirTemp("", temporaryPattern)
	} else {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return f, fmt.Errorf("make the folder: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return f, err
	}
	if f.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return f, err
	}
	f.lock, err = takeLock(f.dir)
	return f, err
}

// takeLock locks a folder for this process. A lock that another process holds
// is an *Error with the code FolderInUse.
func takeLock(dir string) (*os.File, error) {
	root, err := os.OpenRoot(dir) // follows no link out of a folder that others may write to
	if err != nil {
		return nil, err
	}
	defer root.Close()
	lock, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	if err := lockFile(lock); err != nil {
		defer lock.Close()
		holder := make([]byte, 20)
		n, _ := lock.Read(holder)
		return nil, &Error{
			Code:  FolderInUse,
			Cause: fmt.Sprintf("process %s already runs a PostgreSQL in %s", cmp.Or(string(holder[:n]), "unknown"), dir),
			Cure:  "stop that process, or use another folder",
		}
	}
	if err := lock.Truncate(0); err == nil {
		_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0) // only a hint for the message above
	}
	return lock, nil
}

// sweep deletes temporary folders that killed processes left in dir.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, temporaryPattern)) // fails on a bad pattern only
	for _, old := range left {
		// A new one is not locked yet in its first moments.
		info, err := os.Lstat(old)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		f := folder{dir: old, temporary: true}
		if f.lock, err = takeLock(old); err == nil {
			if read, err := readPidFile(f.data()); err == nil && serves(read.pid, f.data()) {
				_ = f.lock.Close() // still dying; the next sweep takes it
				continue
			}
			_ = f.close() // somebody else's, or in use after all: not our concern
		}
	}
}

// close gives the folder up, and deletes it when it is temporary.
func (f *folder) close() error {
	var errs []error
	if f.sockets != "" && f.sockets != f.path(socketsName) {
		errs = append(errs, os.RemoveAll(f.sockets))
	}
	if f.temporary {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

// own gives the folder itself to the account, if it holds nothing but what is
// ours: a folder with other things in it stays whose it is.
func (f *folder) own(a *account) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	ours := []string{lockName, dataName, newName, passwordName, socketsName, logName, logName + ".1", binariesName}
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) {
			return nil
		}
	}
	return a.give(f.dir)
}

// makeSockets makes the folder of the unix socket: ours, unless the path is too
// long for an address, then a temporary one.
func (f *folder) makeSockets(a *account) (err error) {
	f.sockets = f.path(socketsName)
	if len(f.sockets)+len("/.s.PGSQL.65535") > longest {
		if f.sockets, err = os.MkdirTemp("/tmp", socketsPattern); err != nil {
			return fmt.Errorf("make the folder of the socket: %w", err)
		}
		return a.give(f.sockets)
	}
	// Nothing runs here now, so a socket in it is a dead one's, and its lock file
	// may name a process that has nothing to do with it.
	if err := os.RemoveAll(f.sockets); err != nil {
		return err
	}
	if err := os.Mkdir(f.sockets, 0o700); err != nil {
		return err
	}
	return a.give(f.sockets)
}

// major returns the version of the data, 0 when there is none yet.
func (f *folder) major() (int, error) {
	text, err := os.ReadFile(f.path(dataName, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, &Error{Code: PostgresUser, Cause: "cannot read the data in " + f.dir, Cure: "start as the user who owns it", Err: err}
	}
	return number(string(text)), nil
}

// A pidFile is what PostgreSQL writes about itself into its data.
type pidFile struct {
	pid     int
	sockets string
}

// readPidFile reads postmaster.pid. https://www.postgresql.org/docs/current/storage-file-layout.html
func readPidFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return pidFile{}, err
	}
	lines := append(strings.Split(string(text), "\n"), "", "", "", "", "")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return pidFile{}, nil // half written: nobody that could be asked to stop
	}
	return pidFile{pid: pid, sockets: lines[4]}, nil
}

// clear puts right what an earlier run left: a PostgreSQL that is still there is
// stopped; what a dead one wrote about itself is deleted, because its process
// number may by now be somebody else's and keep PostgreSQL from starting.
func (f *folder) clear(ctx context.Context, log *slog.Logger) error {
	if err := os.RemoveAll(f.path(newName)); err != nil {
		return err
	}
	left, err := readPidFile(f.data())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if serves(left.pid, f.data()) {
		log.WarnContext(ctx, "stopping a PostgreSQL that an earlier run left", "pid", left.pid)
		if err := f.stopOrphan(ctx, left.pid); err != nil {
			return err
		}
	}
	if in, is := filepath.Split(left.sockets); in == "/tmp/" {
		if ours, _ := filepath.Match(socketsPattern, is); ours {
			_ = os.RemoveAll(left.sockets) // what stays is an empty folder
		}
	}
	if err := os.Remove(filepath.Join(f.data(), "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// stopOrphan stops a PostgreSQL that is not our child, fast and then, after some
// seconds, at once.
func (f *folder) stopOrphan(ctx context.Context, pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = process.Release() }()
	// It is not our child, so there is no event to wait for.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	hurry := time.After(patience)
	if err := process.Signal(fast); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return &Error{
			Code:  FolderInUse,
			Cause: fmt.Sprintf("a PostgreSQL (process %d) of another user runs in %s", pid, f.dir),
			Cure:  "stop it, or use another folder",
			Err:   err,
		}
	}
	for serves(pid, f.data()) {
		select {
		case <-tick.C:
		case <-hurry:
			_ = process.Signal(immediate) // gone already, or the loop goes on
		case <-ctx.Done():
			return fmt.Errorf("wait for process %d to stop: %w", pid, context.Cause(ctx))
		}
	}
	return nil
}
