package postmaster

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// makeCluster makes the cluster unless there is one, and returns the password of
// Superuser.
func (s *Server) makeCluster(ctx context.Context) (string, error) {
	if _, err := os.Stat(s.folder.data()); errors.Is(err, fs.ErrNotExist) {
		if err := s.newCluster(ctx); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	password, err := os.ReadFile(s.folder.path(passwordName))
	if err != nil {
		return "", &Error{
			Code:  PostgresUser,
			Cause: "cannot read the password of the data in " + s.folder.dir,
			Cure:  "start as the user who made the folder, or delete it to begin anew",
			Err:   err,
		}
	}
	return strings.TrimSpace(string(password)), nil
}

// newCluster makes a cluster, from the copy kept for throwaway ones if there is
// one. It appears under its name only when it is whole.
func (s *Server) newCluster(ctx context.Context) error {
	made, kept := s.folder.path(newName), s.kept()
	if kept != "" && s.copyKept(kept, made) == nil {
		return os.Rename(made, s.folder.data())
	}
	if err := os.RemoveAll(made); err != nil { // what a failed copy left
		return err
	}
	if err := s.writePassword(rand.Text()); err != nil {
		return err
	}
	if err := s.initdb(ctx, made); err != nil {
		return err
	}
	if kept != "" {
		s.keep(ctx, made, kept)
	}
	return os.Rename(made, s.folder.data())
}

// writePassword writes the password's file, which initdb reads too.
func (s *Server) writePassword(password string) error {
	file := s.folder.path(passwordName)
	// Anew, so that neither old rights nor a link matter.
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(password + "\n"); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Close(), s.account.give(file))
}

// initdbArguments returns the options of initdb that shape the cluster.
func (s *Server) initdbArguments() []string {
	locale := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		locale = "en_US.UTF-8"
	}
	args := []string{
		"--username", Superuser, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", locale, "--no-instructions",
	}
	if s.config.Throwaway {
		args = append(args, "--no-sync", "--wal-segsize", "1")
	}
	return args
}

// initdb makes a cluster in data.
func (s *Server) initdb(ctx context.Context, data string) error {
	s.config.Log.InfoContext(ctx, "making a new PostgreSQL cluster", "dir", s.folder.dir, "version", s.programs.version)
	// Its parent must exist and be its user's; give it the folder itself, as the
	// parent need not be.
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := s.account.give(data); err != nil {
		return err
	}
	args := append(s.initdbArguments(), "--pgdata", data, "--pwfile", s.folder.path(passwordName))
	cmd := exec.CommandContext(ctx, s.programs.initdb(), args...)
	cmd.Dir = s.folder.dir
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(s.account)
	dieWithUs(cmd.SysProcAttr, syscall.SIGKILL)
	runtime.LockOSThread() // see process.own
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("make a PostgreSQL cluster: %w", context.Cause(ctx))
	}
	if err != nil {
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		return &Error{
			Code:  PostgresFailed,
			Cause: fmt.Sprintf("initdb could not make a cluster in %s (%v)", s.folder.dir, err),
			Cure:  "check the space and the rights there",
			Err:   errors.New(string(lines[max(0, len(lines)-3)])),
		}
	}
	return nil
}

// kept returns where the copy of a new throwaway cluster is kept, "" if nowhere.
// initdb takes 1 s of processor time and often 3 s; copying its 28 MB takes 0.15 s.
func (s *Server) kept() string {
	if !s.config.Throwaway {
		return ""
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(s.programs.bin + s.programs.version + strings.Join(s.initdbArguments(), " ")))
	return filepath.Join(cache, "tutti", fmt.Sprintf("postgres-%d-%x", s.programs.major, sum[:6]))
}

// keep copies a new cluster and its password. Others may do the same at the same
// time; the first wins. Whatever fails, the next start just runs initdb again.
func (s *Server) keep(ctx context.Context, made, kept string) {
	err := os.MkdirAll(filepath.Dir(kept), 0o700)
	if err != nil {
		s.config.Log.WarnContext(ctx, "new cluster is not kept for the next start", "err", err)
		return
	}
	scratch, err := os.MkdirTemp(filepath.Dir(kept), "new-*")
	if err == nil {
		defer os.RemoveAll(scratch)
		err = copyTree(made, filepath.Join(scratch, dataName), nil)
	}
	if err == nil {
		err = copyTree(s.folder.path(passwordName), filepath.Join(scratch, passwordName), nil)
	}
	if err == nil {
		err = os.Rename(scratch, kept)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		s.config.Log.WarnContext(ctx, "new cluster is not kept for the next start", "err", err)
	}
}

// copyKept makes a cluster, and its password, out of the kept copy.
func (s *Server) copyKept(kept, made string) error {
	password, err := os.ReadFile(filepath.Join(kept, passwordName))
	if err != nil {
		return err
	}
	if err := copyTree(filepath.Join(kept, dataName), made, s.account); err != nil {
		return err
	}
	return s.writePassword(strings.TrimSpace(string(password)))
}

// copyTree copies a file, or a folder of files and folders, for the account only.
func copyTree(from, to string, a *account) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if d.IsDir() {
			return errors.Join(os.Mkdir(target, 0o700), a.give(target))
		}
		src, err := os.Open(path)
		if err != nil {
			return err
		}
		defer src.Close()
		dst, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(dst, src)
		return errors.Join(err, dst.Close(), a.give(target))
	})
}
