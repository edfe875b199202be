//go:build !unix

package postmaster

import (
	"os"
	"syscall"
)

// Nothing here is reached: Start refuses where supported is false.
const (
	supported = false
	fast      = syscall.SIGINT
	immediate = syscall.SIGQUIT
)

type account struct{ name string }

func (a *account) give(string) error { return nil }

func chooseAccount(string) (*account, error)         { return nil, errUnsupported }
func lockFile(*os.File) error                        { return errUnsupported }
func attributes(*account) *syscall.SysProcAttr       { return nil }
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}
func tether(int) (release func(), err error)         { return nil, errUnsupported }
func serves(pid int, data string) bool               { return false }
