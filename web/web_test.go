package web_test

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/tutti-realtime/tutti/web"
)

func TestFilesAreThereBeforeAnyBuild(t *testing.T) {
	t.Parallel()
	if _, err := fs.Stat(web.Files(), ".gitkeep"); err != nil {
		t.Fatalf("the placeholder is not embedded: %v", err)
	}
}

func TestBuiltPageLoadsOnlyWhatIsEmbedded(t *testing.T) {
	t.Parallel()
	if !web.Built() {
		t.Skip("the pages are not built; run make web")
	}
	for _, name := range []string{"index.html", "status.html", "classroom.html", "admin.html"} {
		page, err := fs.ReadFile(web.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		links := regexp.MustCompile(`<(?:script|link)\b[^>]*\b(?:src|href)="([^"]*)"`).FindAllSubmatch(page, -1)
		if len(links) == 0 {
			t.Fatalf("%s loads no script and no style", name)
		}
		for _, link := range links {
			file := string(link[1])
			if len(file) < 2 || file[0] != '/' {
				t.Errorf("%s loads %q, want a path that begins with /", name, file)
				continue
			}
			if _, err := fs.Stat(web.Files(), file[1:]); err != nil {
				t.Errorf("%s loads %q: %v", name, file, err)
			}
		}
	}
}
