package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti/internal/trace"
)

func TestALineHasTheReferencesNames(t *testing.T) {
	t.Parallel()
	book := &logbook{}
	log := NewLog(book, "info", "json").With("node", "a", "tenant", "acme")
	ctx := trace.WithRequest(t.Context(), "0123456789-0123456789")
	log.DebugContext(ctx, "too little to say")
	log.WarnContext(ctx, "join refused", "code", "Unauthorized", "sub", "u1", "exp", int64(7))
	var line map[string]any
	if err := json.Unmarshal([]byte(book.text.String()), &line); err != nil {
		t.Fatalf("%v: %s", err, book.text.String())
	}
	delete(line, "time")
	got, _ := json.Marshal(line)
	const want = `{"error_code":"Unauthorized","exp":7,"external_id":"acme","level":"WARN","msg":"join refused","node":"a",` +
		`"project":"acme","request_id":"0123456789-0123456789","sub":"u1"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestARequestIsNamedOnce(t *testing.T) {
	t.Parallel()
	book := &logbook{}
	NewLog(book, "info", "text").InfoContext(trace.WithRequest(t.Context(), "of the context"), "tenant managed", "request", "of the visit")
	if got := book.text.String(); strings.Count(got, "request_id=") != 1 || !strings.Contains(got, `request_id="of the visit"`) {
		t.Errorf("got %s", got)
	}
}

func TestSecretsAreTakenOutOfTexts(t *testing.T) {
	t.Parallel()
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJTRUNSRVQifQ.SECRET-_SECRET"
	for name, tt := range map[string]struct{ text, want string }{
		"a token":                    {`bad token "` + token + `" from x`, `bad token "[removed]" from x`},
		"a token that was cut":       {`at ` + token[:30], `at [removed]`},
		"a URL with a key":           {`Get "http://h/socket?vsn=1&apikey=SECRET&x=1": EOF`, `Get "http://h/socket?vsn=1&apikey=[removed]&x=1": EOF`},
		"a connection string":        {`host=h password=SECRET user=u`, `host=h password=[removed] user=u`},
		"one with quotes":            {`password='SEC RET' user=u`, `password=[removed] user=u`},
		"a database's URL":           {`dial postgres://user:SECRET@h:5432/db`, `dial postgres://user:[removed]@h:5432/db`},
		"JSON":                       {`{"jwt_secret": "SECRET","a":1}`, `{"jwt_secret": "[removed]","a":1}`},
		"JSON in a Go string":        {`"{\"db_password\":\"SECRET\"}"`, `"{\"db_password\":\"[removed]\"}"`},
		"a header":                   {`Authorization: Bearer SECRETSECRET`, `Authorization: Bearer [removed]`},
		"a login":                    {`Basic c2VjcmV0OnNlY3JldA==`, `Basic [removed]`},
		"a key that is no token":     {`key sb_secret_SECRET1 is wrong`, `key [removed] is wrong`},
		"words about tokens":         {`Token has expired 5 seconds ago`, `Token has expired 5 seconds ago`},
		"words of a setting":         {`secret: must not be empty`, `secret: must not be empty`},
		"a filter":                   {`code=eq.a`, `code=eq.a`},
		"a place in the source code": {`/src/token.go:12 +0x1f`, `/src/token.go:12 +0x1f`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := scrub(tt.text); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for what, value := range map[string]any{
				"text": tt.text, "error": fmt.Errorf("wrapped: %w", errors.New(tt.text)), "list": []string{tt.text}, "group": slog.GroupValue(slog.String("a", tt.text)),
			} {
				book := &logbook{}
				NewLog(book, "debug", "json").Error("failed", "err", value)
				if strings.Contains(book.text.String(), "SECRET") {
					t.Errorf("as %s: %s", what, book.text.String())
				}
			}
		})
	}
}

func TestPostgreSQLQuotesValuesThatAreNotForTheLog(t *testing.T) {
	t.Parallel()
	pg := &pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: `invalid input syntax for type uuid: "a value of` + "\n" + `somebody"`, Detail: "a detail"}
	names := &pgconn.PgError{Severity: "ERROR", Code: "42P01", Message: `relation "public.todos" does not exist`}
	err := fmt.Errorf("ask: %w", errors.Join(errors.New("first"), fmt.Errorf("second: %w", pg), names))
	got := errorText(err)
	if strings.Contains(got, "somebody") || strings.Contains(got, "a detail") || !strings.Contains(got, "for type uuid: [value] (SQLSTATE 22P02)") ||
		!strings.Contains(got, `"public.todos"`) {
		t.Errorf("got %s", got)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	book := &logbook{}
	NewLog(book, "info", "text").Info("join", "topic", strings.Repeat("t", 8000), "stack", strings.Repeat("s", 100_000))
	if n := len(book.text.String()); n > 20_000 {
		t.Errorf("the line has %d bytes", n)
	}
}

// Wherever a text is cut, nothing is left of a secret that only its end gives away.
func TestACutSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{`postgres://ann:SECRETSECRET@host/db`, `password="SECRET SECRET"`} {
		for before := longest - len(secret); before <= longest; before++ {
			got := printed("err", slog.StringValue(strings.Repeat("t", before-1)+" "+secret)).String()
			if strings.Contains(got, "SECRET") || len(got) > longest+len("…") {
				t.Fatalf("after %d bytes: %s", before, got[min(before, len(got)):])
			}
		}
	}
}

// A flood is one line and a number.
func TestRepeatedLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		book, r := &logbook{}, &repeats{}
		log := slog.New(r.Handler(NewLog(book, "debug", "text").Handler()))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = r.Run(ctx) }()
		count := func(part string) (n int) {
			book.mu.Lock()
			defer book.mu.Unlock()
			for line := range strings.Lines(book.text.String()) {
				if strings.Contains(line, part) {
					n++
				}
			}
			return n
		}
		acme := log.With("tenant", "acme")
		for n := range 100 {
			acme.Warn("join refused", "code", "Unauthorized", "n", n)
			acme.Warn("join refused", "code", "QueryCanceled")
			log.Warn("join refused", "tenant", "other", "code", "Unauthorized")
			log.Info("a line of the node")
			acme.Debug("a detail")
		}
		if got := []int{count("Unauthorized"), count("QueryCanceled"), count("a line of"), count("a detail")}; fmt.Sprint(got) != "[10 5 100 100]" {
			t.Errorf("printed %v", got)
		}
		time.Sleep(2 * repeatWindow) // virtual
		if !book.says("external_id=acme", "error_code=Unauthorized", "n=99", "repeated=95") || !book.says("external_id=other", "repeated=95") {
			t.Errorf("the sum is missing:\n%s", book.text.String())
		}
		if n := count("repeated="); n != 3 {
			t.Errorf("%d sums", n)
		}
		acme.Warn("join refused", "code", "Unauthorized", "n", "anew")
		if !book.says("n=anew") {
			t.Error("nothing is said after the window")
		}
		for range 10 {
			acme.Warn("the last", "code", "Unauthorized")
		}
		stop()
		<-ended
		if !book.says("the last", "repeated=5") {
			t.Error("what was held at the end is not said")
		}
		if n := r.held.Load(); n != 3*95+5 {
			t.Errorf("%d lines were held", n)
		}
	})
}

// However many tenants there are, what is remembered of their lines is bounded.
func TestRepeatedLinesOfManyTenants(t *testing.T) {
	t.Parallel()
	book, r := &logbook{}, &repeats{}
	log := slog.New(r.Handler(NewLog(book, "info", "text").Handler()))
	for n := range 3 * maxRepeats {
		log.Warn("join refused", "tenant", fmt.Sprint("t", n), "code", "Unauthorized")
	}
	if len(r.seen) > maxRepeats+10 {
		t.Errorf("%d lines are remembered", len(r.seen))
	}
	if got := strings.Count(book.text.String(), "\n"); got > maxRepeats+2*repeatBurst {
		t.Errorf("%d lines are printed", got)
	}
}

func TestTheNamesOfANode(t *testing.T) {
	t.Parallel()
	book := &logbook{}
	a := &App{config: Config{AppName: "tutti-1", Region: "eu"}}
	a.sign(NewLog(book, "info", "text")).Info("said")
	if !book.says("node=tutti-1", "region=eu") || book.says("cluster=") {
		t.Error(book.text.String())
	}
	a.config.Cluster.Listen, a.config.Cluster.Node, a.config.Cluster.Name = ":1", "n", "stage"
	a.sign(NewLog(book, "info", "text")).Info("in a cluster")
	if !book.says("in a cluster", "node=n", "cluster=stage") {
		t.Error(book.text.String())
	}
}
