package cluster

import (
	"strings"
	"testing"
)

func TestNamesOfLeasesAreShortAndTheirOwn(t *testing.T) {
	t.Parallel()
	if got := LeaseName("wal/acme"); got != "wal/acme" {
		t.Errorf("got %q", got)
	}
	long := strings.Repeat("x", 300)
	one, other := LeaseName("wal/"+long), LeaseName("wal/"+long+"y")
	if len(one) > maxName || len(other) > maxName || one == other || one != LeaseName("wal/"+long) {
		t.Errorf("got %q and %q", one, other)
	}
}
