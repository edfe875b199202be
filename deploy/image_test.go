package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// As in the image: a folder with the binary and certificates is all there is, and
// the user is nobody.
func TestTheBinaryNeedsNothingAroundIt(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root on Linux may change the root")
	}
	root := emptyRoot(t)
	n := start(t, within(root, "/tutti", "serve"), "PORT=0", "HOST=127.0.0.1")
	port := n.base[strings.LastIndex(n.base, ":")+1:]
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"it is healthy":        {[]string{"health"}, "says yes"},
		"it lives":             {[]string{"health", "--live"}, "says yes"},
		"it knows its version": {[]string{"version"}, "linux/" + runtime.GOARCH},
	} {
		cmd := within(root, "/tutti", tt.args...)
		cmd.Env = []string{"PORT=" + port}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %s (%v)", name, out, err)
		}
	}
	n.stop(t)
	// What it was told by nobody it did not write.
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 2 {
		t.Errorf("the root holds %v (%v)", entries, err)
	}
}

func TestTheBinaryIsStatic(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux is there such a thing")
	}
	out, err := run(t, "go", "version", "-m", build(t))
	if err != nil || !strings.Contains(out, "CGO_ENABLED=0") || !strings.Contains(out, "-trimpath=true") {
		t.Errorf("it is not built as a release (%v):\n%s", err, out)
	}
	text := read(t, build(t))
	if strings.Contains(text, "ld-linux") {
		t.Error("it needs a loader")
	}
	if here, err := filepath.Abs(".."); err != nil || strings.Contains(text, here+"/cmd") {
		t.Errorf("it tells where it was built (%v)", err)
	}
	said, err := run(t, build(t), "version", "--json")
	if err != nil || !strings.Contains(said, `"date": "20`) && !strings.Contains(said, `"date": "unknown"`) {
		t.Errorf("it says of itself: %s (%v)", said, err)
	}
}

// emptyRoot returns a folder with what the image has.
func emptyRoot(t *testing.T) string {
	t.Helper()
	// Not below a folder that only root may enter.
	root, err := os.MkdirTemp("", "tutti-root-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	certificates := filepath.Join(root, "etc/ssl/certs")
	if err := os.MkdirAll(certificates, 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		build(t):                             filepath.Join(root, "tutti"),
		"/etc/ssl/certs/ca-certificates.crt": filepath.Join(certificates, "ca-certificates.crt"),
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Skipf("there are no certificates: %v", err)
		}
		if err := os.WriteFile(to, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	return root
}

// within runs a program of another root, as the user of the image.
func within(root, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	return cmd
}
