package admin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/gate"
)

// Keys says who may use the console: who has the password, and who has a token
// that may manage tenants. Without either nobody may.
type Keys struct {
	User, Password string         // DASHBOARD_USER and DASHBOARD_PASSWORD; both, or none
	Secrets        []string       // API_JWT_SECRET and API_JWT_SECRET_NEXT
	Blocklist      []string       // API_TOKEN_BLOCKLIST
	Validators     map[string]any // claims that every token must have
}

// Any reports whether anybody can be let in.
func (k *Keys) Any() bool { return k.Password != "" || len(k.Secrets) > 0 }

// A visit is a request of somebody who was let in.
type visit struct {
	*http.Request
	who string // for the log
	// still reports whether the right that let him in has not ended yet.
	still func(now time.Time) bool
}

type served func(http.ResponseWriter, *visit) error

// patience is how long a request that is no stream may take.
const patience = 20 * time.Second

// open lets those in who may use the console.
func (c *Console) open(serve served) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		gate.Data(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		v, err := c.admit(r)
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), patience)
			defer cancel()
			v.Request = r.WithContext(context.WithValue(ctx, unbounded{}, r.Context()))
			err = serve(w, v)
		}
		if err != nil {
			c.fail(w, r, err)
		}
	}
}

// unbounded is the key of the request's own context, which streams live by.
type unbounded struct{}

func (v *visit) unbounded() context.Context {
	return v.Context().Value(unbounded{}).(context.Context)
}

func (c *Console) admit(r *http.Request) (*visit, error) {
	if !c.Keys.Any() {
		return nil, errDisabled
	}
	// No other site has any business here, even where a browser adds a password
	// that it remembers.
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return nil, errForeign
	}
	// Whoever guesses passwords has to wait, and with him all who come through the
	// same proxy. Tokens cannot be guessed, and are a way in meanwhile.
	address := c.Gate.Address(r)
	_, _, basic := r.BasicAuth()
	if wait := c.failures.Wait(address, time.Now()); basic && wait > 0 {
		f := *errTooMany
		f.after = wait
		return nil, &f
	}
	v, err := c.identify(r)
	if errors.Is(err, errWrong) {
		if basic {
			c.failures.Note(address, time.Now())
		}
		c.Log.Warn("somebody was not let into the console", "code", errWrong.Code, "remote", address.String())
	}
	return v, err
}

// identify finds out who asks.
func (c *Console) identify(r *http.Request) (*visit, error) {
	if user, password, basic := r.BasicAuth(); basic {
		if c.Keys.Password == "" || !same(user, c.Keys.User, password, c.Keys.Password) {
			return nil, errWrong
		}
		if r.Method != http.MethodGet && r.Header.Get("X-Requested-With") == "" {
			return nil, errForeign
		}
		return &visit{who: user, still: func(time.Time) bool { return true }}, nil
	}
	token, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !is {
		return nil, errUnknown
	}
	if !c.Keys.verify(token, time.Now()) {
		return nil, errWrong
	}
	return &visit{who: cmp.Or(auth.Holder(token), "token"), still: func(now time.Time) bool { return c.Keys.verify(token, now) }}, nil
}

// same compares in constant time, whatever the lengths are.
func same(user, wantUser, password, wantPassword string) bool {
	u, wu := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(wantUser))
	p, wp := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(wantPassword))
	return subtle.ConstantTimeCompare(u[:], wu[:])&subtle.ConstantTimeCompare(p[:], wp[:]) == 1
}

// verify reports whether a token may manage tenants.
func (k *Keys) verify(token string, now time.Time) bool {
	service := auth.Service{Secrets: k.Secrets, Blocked: k.Blocklist, Validators: k.Validators}
	return service.Verify(token, now) == nil
}

// fail answers a request that did not succeed. What is the server's own fault ends
// here: it is logged.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := faultOf(err)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented && r.Context().Err() == nil {
		c.Log.Error("request of the console failed", "path", r.URL.Path, "code", f.Code, "err", err)
	}
	if f.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.after+time.Second-1)/time.Second)))
	}
	// A page asks for the password itself; browsers would remember it for all sites.
	if f.Status == http.StatusUnauthorized && r.Header.Get("X-Requested-With") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="Tutti", charset="UTF-8"`)
	}
	answer(w, f.Status, f)
}
