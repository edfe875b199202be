package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A credential is what the server shows to clients. Its files may be replaced
// while it runs: connections that are open keep what they have, and new ones get
// the new certificate.
type credential struct {
	settings *Config
	log      *slog.Logger
	current  atomic.Pointer[shown]
}

// shown is a certificate with its key, and what was in their files.
type shown struct {
	tls.Certificate
	sum [sha256.Size]byte
}

// openCredential reads the files. It returns nil where the server ends no TLS.
func openCredential(settings *Config, log *slog.Logger) (*credential, error) {
	if err := settings.checkTLS(); err != nil || settings.TLSCert == "" {
		return nil, err
	}
	c := &credential{settings: settings, log: log}
	if _, err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads the files, and reports whether there is something new in them.
func (c *credential) load() (changed bool, err error) {
	cert, err := os.ReadFile(c.settings.TLSCert)
	if err != nil {
		return false, fmt.Errorf("read TLS_CERT: %w", err)
	}
	key, err := os.ReadFile(c.settings.TLSKey)
	if err != nil {
		return false, fmt.Errorf("read TLS_KEY: %w", err)
	}
	sum := sha256.Sum256(bytes.Join([][]byte{cert, key}, []byte{0}))
	if old := c.current.Load(); old != nil && old.sum == sum {
		return false, nil
	}
	made, err := tls.X509KeyPair(cert, key) // also makes sure that they belong together
	if err != nil {
		return false, fmt.Errorf("read TLS_CERT and TLS_KEY: %w", err)
	}
	c.current.Store(&shown{Certificate: made, sum: sum})
	return true, nil
}

// run looks at the files until ctx ends. Of two files one is always replaced
// before the other, so that a pair which does not fit is given another look; what
// stays wrong is logged once, and the old certificate stays in force.
func (c *credential) run(ctx context.Context) error {
	ticker := time.NewTicker(max(time.Duration(c.settings.TLS.Look), time.Millisecond))
	defer ticker.Stop()
	wrong, told := 0, false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		changed, err := c.load()
		switch {
		case err != nil:
			if wrong++; wrong > 1 && !told {
				told = true
				c.log.Error("the certificate could not be read anew, the old one stays", "err", err)
			}
			continue
		case changed:
			c.log.Info("the certificate was read anew", "expires", c.current.Load().Leaf.NotAfter)
		}
		wrong, told = 0, false
	}
}

// config returns what a TLS server needs.
func (c *credential) config() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// A WebSocket takes the connection over, which HTTP/2 has no way to do.
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &c.current.Load().Certificate, nil
		},
	}
	if c.settings.TLS.MinVersion == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	if c.settings.TLS.ClientCA != "" {
		text, err := os.ReadFile(c.settings.TLS.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("read TLS_CLIENT_CA: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("TLS_CLIENT_CA holds no certificate")
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// redirect is a server without TLS that sends whoever comes to the one with it.
// A WebSocket does not follow, which is right: its key has been sent in the clear.
type redirect struct {
	server *http.Server
	port   int // with TLS
}

// newRedirect returns the server, which is as patient as like.
func newRedirect(port int, like *http.Server) *redirect {
	r := &redirect{port: port}
	r.server = &http.Server{
		Handler:           r,
		ReadHeaderTimeout: like.ReadHeaderTimeout, ReadTimeout: like.ReadTimeout, WriteTimeout: like.ReadTimeout,
		IdleTimeout: like.IdleTimeout, MaxHeaderBytes: like.MaxHeaderBytes, ErrorLog: like.ErrorLog, ConnState: like.ConnState,
	}
	return r
}

// ServeHTTP names the same place with TLS. A method other than GET keeps its body
// to itself: it has been sent in the clear once, which is not to be repeated
// without anybody noticing.
func (r *redirect) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	host := plainHost(request.Host)
	if host == "" || !strings.HasPrefix(request.URL.Path, "/") { // what follows a host without it would be part of the host
		http.Error(w, "no host, or no path", http.StatusBadRequest)
		return
	}
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		http.Error(w, "this server speaks TLS: use https", http.StatusForbidden)
		return
	}
	// Who named no port came to port 80, and 443 is beside it, whatever the ports
	// are that both are sent on to.
	if _, _, err := net.SplitHostPort(request.Host); err == nil {
		host += ":" + strconv.Itoa(r.port)
	}
	w.Header().Set("Location", "https://"+host+request.URL.RequestURI())
	w.WriteHeader(http.StatusPermanentRedirect)
}

// plainHost returns the name or the address of a host without its port, "" for
// what is neither: nobody is to be sent to a place that was made of other parts
// of a URL.
func plainHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if a.Is6() {
			return "[" + a.WithZone("").String() + "]"
		}
		return a.String()
	}
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
	}
	if strings.TrimLeftFunc(host, plain) != "" {
		return ""
	}
	return host
}

// run serves until ctx ends.
func (r *redirect) run(ctx context.Context, address string) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s (TLS_REDIRECT_PORT): %w", address, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.server.Close() })
	defer stop()
	if err := r.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
