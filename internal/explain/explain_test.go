package explain

import (
	"slices"
	"strings"
	"testing"
)

func TestEntries(t *testing.T) {
	t.Parallel()
	all := All()
	for i, e := range all {
		if i > 0 && strings.EqualFold(all[i-1].Code, e.Code) {
			t.Errorf("%s is explained twice", e.Code)
		}
		if len(e.Seen) == 0 || e.Cause == "" {
			t.Errorf("%s: nobody sees it, or it has no cause", e.Code)
		}
		for _, text := range []string{e.Cause, e.Cure} {
			if strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q ends with a full stop", e.Code, text)
			}
		}
		for _, p := range e.Seen {
			if !slices.ContainsFunc(sections, func(s section) bool { return s.place == p }) {
				t.Errorf("%s: the reference has no section for %s", e.Code, p)
			}
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Unauthorized": "Unauthorized",
		"unauthorized": "Unauthorized",
		" PrivateOnly: This project only allows … ": "PrivateOnly",
		"nothing": "", "": "",
	} {
		if e, known := Find(in); e.Code != want || known != (want != "") {
			t.Errorf("Find(%q) is %q, %v", in, e.Code, known)
		}
	}
	if near := Near("slot"); !slices.Contains(near, "ReplicationSlotLost") || slices.Contains(near, "PrivateOnly") {
		t.Errorf("near slot are %q", near)
	}
	if near := Near(" "); near != nil {
		t.Errorf("near nothing are %q", near)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := Markdown(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, e := range All() {
		if got := strings.Count(text, "\n| `"+e.Code+"` |"); got != len(e.Seen) {
			t.Errorf("%s has %d rows for %d places", e.Code, got, len(e.Seen))
		}
	}
}
