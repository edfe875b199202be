package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// tenYears is how long keys for clients are good.
const tenYears = 10 * 365 * 24 * time.Hour

// mint signs a token for clients.
func mint(secret, role, sub string, good time.Duration) (string, error) {
	now := time.Now()
	claims := map[string]any{"role": role, "iss": "tutti", "iat": now.Unix(), "exp": now.Add(good).Unix()}
	if sub != "" {
		claims["sub"] = sub
	}
	token, err := auth.Mint(secret, claims)
	if err != nil {
		return "", fmt.Errorf("mint a token for %s: %w", role, err)
	}
	return token, nil
}

// A tokenRequest is a token to be made with a tenant's secret.
type tokenRequest struct {
	Role    string `json:"role"`
	Sub     string `json:"sub"`
	Expires *int64 `json:"expires_in"` // seconds; an hour when not given
}

func (c *Console) token(w http.ResponseWriter, v *visit) error {
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	q := tokenRequest{}
	if err := readBody(v, &q); err != nil {
		return err
	}
	wrong, seconds := map[string][]string{}, int64(3600)
	if q.Role == "" {
		wrong["role"] = []string{blank}
	} else if len(q.Role) > 63 || !storable(q.Role) {
		wrong["role"] = []string{"is invalid"}
	}
	if len(q.Sub) > 1000 || !storable(q.Sub) {
		wrong["sub"] = []string{"is invalid"}
	}
	if q.Expires != nil {
		seconds = *q.Expires
	}
	if most := int64(tenYears / time.Second); seconds < 1 || seconds > most {
		wrong["expires_in"] = []string{fmt.Sprintf("must be a number from 1 to %d", most)}
	}
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	if t.JWTSecret == "" {
		return &Fault{
			Status: http.StatusConflict, Code: "TenantHasNoSecret", Message: "The tenant has public keys only, so the server cannot sign for it",
			Cure: "Make tokens where the private key is",
		}
	}
	token, err := mint(t.JWTSecret, q.Role, q.Sub, time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	c.note(v, "mint a token", t.ExternalID, slog.String("role", q.Role), slog.Bool("user", q.Sub != ""), slog.Int64("seconds", seconds))
	answer(w, http.StatusOK, map[string]string{"token": token})
	return nil
}

func (c *Console) snippet(w http.ResponseWriter, v *visit) error {
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	url := c.urlOf(v.Request, t.ExternalID)
	answer(w, http.StatusOK, map[string]string{"url": url, "snippet": snippet(url)})
	return nil
}

// placeholder stands for the key in a snippet.
const placeholder = "YOUR_ANON_KEY"

// snippet returns a program that joins, hears and says something.
func snippet(url string) string {
	quoted, err := json.Marshal(url)
	if err != nil {
		panic(err) // a string
	}
	return `import { createClient } from '@supabase/supabase-js'

const supabase = createClient(` + string(quoted) + `, "` + placeholder + `")

const room = supabase.channel("room-1", { config: { broadcast: { self: true } } })
room
  .on("broadcast", { event: "hello" }, ({ payload }) => console.log(payload))
  .subscribe((status) => {
    if (status === "SUBSCRIBED") {
      room.send({ type: "broadcast", event: "hello", payload: { text: "It works" } })
    }
  })
`
}

// urlOf returns where clients reach a tenant: its name is the first label of the host.
// Without a setting it is made of the host by which the operator came.
func (c *Console) urlOf(r *http.Request, id string) string {
	if c.TenantURL != "" {
		return strings.ReplaceAll(c.TenantURL, "{tenant}", id)
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		name, port = strings.Trim(r.Host, "[]"), ""
	}
	if _, ip := netip.ParseAddr(name); id != c.Directory.Default || ip != nil && strings.Contains(name, ".") {
		name = hostOf(name, id)
	}
	switch {
	case port != "":
		name = net.JoinHostPort(name, port)
	case strings.Contains(name, ":"):
		name = "[" + name + "]"
	}
	return scheme + "://" + name
}

// hostOf returns a host that names a tenant, below or beside another.
func hostOf(name, id string) string {
	_, err := netip.ParseAddr(name)
	labels := strings.Split(name, ".")
	switch {
	case err == nil, name == "localhost", name == "":
		return id + ".localhost"
	case len(labels) > 2 || labels[len(labels)-1] == "localhost":
		return id + "." + strings.Join(labels[1:], ".") // beside another tenant, or the console
	}
	return id + "." + name
}
