package tenant

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tutti-realtime/tutti"
)

// replaceFile puts text in the place of raw in a file, at once and for good:
// whoever reads it, at any time and after any crash, finds the one or the other.
// The file keeps its mode and, if that is allowed, its owner; behind a symlink
// it is the file itself that changes. The error is errMoved when the file does
// not hold raw, and a *Conflict when it may not be replaced.
func replaceFile(path string, raw, text []byte) (err error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("%w: write tenants file: %w", tutti.ErrUnavailable, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("%w: write tenants file: %w", tutti.ErrUnavailable, err)
	}
	name, err := writeBeside(target, info, text)
	if err != nil {
		return refused(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(name)
		}
	}()
	// What is left of the race with an editor is the time from here to the next
	// line but two.
	if now, err := os.ReadFile(target); err != nil || !bytes.Equal(now, raw) {
		return errMoved
	}
	if err := os.Rename(name, target); err != nil {
		return refused(err)
	}
	// The new name is on the disk once the folder is. Not all systems can do
	// that, and the file is whole either way.
	if folder, err := os.Open(filepath.Dir(target)); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
	return nil
}

// writeBeside writes text to a new file next to the one it is to replace.
func writeBeside(target string, info fs.FileInfo, text []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+"-*")
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := keepOwner(f, info); err != nil {
		return "", err
	}
	if err := f.Chmod(info.Mode().Perm()); err != nil {
		return "", err
	}
	if _, err := f.Write(text); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

// refused gives an error of the file system a cure, where there is one.
func refused(err error) error {
	switch {
	case errors.Is(err, syscall.EBUSY):
		return &Conflict{"the tenants file is mounted by itself and cannot be replaced: mount the folder it is in"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return &Conflict{"the tenants file cannot be replaced: let the server write to the folder it is in"}
	}
	return fmt.Errorf("write tenants file: %w", err)
}
