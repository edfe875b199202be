//go:build unix

package postmaster

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// An account is the user whom PostgreSQL runs as when we are root, as it refuses
// to run as root itself. A nil *account is ourselves.
type account struct {
	name     string
	uid, gid int
}

// chooseAccount returns whom to run as: ourselves unless we are root; then
// the owner of the data, else the user postgres, else nobody.
func chooseAccount(data string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if info, err := os.Stat(data); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
			return &account{name: strconv.Itoa(int(stat.Uid)), uid: int(stat.Uid), gid: int(stat.Gid)}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return &account{name: name, uid: uid, gid: gid}, nil
		}
	}
	return nil, &Error{
		Code:  PostgresUser,
		Cause: "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody",
		Cure:  "add a user postgres, or do not run as root",
	}
}

// give makes path the account's, but not what is in it.
func (a *account) give(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Lchown(path, a.uid, a.gid); err != nil {
		return &Error{
			Code:  PostgresUser,
			Cause: fmt.Sprintf("PostgreSQL refuses to run as root, and %s cannot be given to user %s", path, a.name),
			Cure:  "allow changing owner and user (the capabilities CHOWN, SETUID and SETGID), or do not run as root",
			Err:   err,
		}
	}
	return nil
}

// credential returns what makes a child run as the account.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}
