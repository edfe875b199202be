package app

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A notary makes certificates that are good for 127.0.0.1.
type notary struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newNotary(t *testing.T) *notary {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	n := &notary{t: t, key: key, pool: x509.NewCertPool()}
	if n.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	n.pool.AddCert(n.cert)
	return n
}

func (n *notary) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.cert.Raw})
}

// issue returns a certificate and its key.
func (n *notary) issue(serial int64) (cert, key []byte) {
	n.t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.cert, &own.PublicKey, n.key)
	if err != nil {
		n.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		n.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// A counter is the files of a certificate, and a server that shows it.
type counter struct {
	*notary
	*script
	folder string
	log    *safeBuffer
}

// safeBuffer is a log that can be read while it is written.
type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// atCounter runs a test with a server whose certificate has the number 7.
func atCounter(t *testing.T, flags func(c *counter) []string, test func(c *counter)) {
	c := &counter{notary: newNotary(t), folder: t.TempDir(), log: &safeBuffer{}}
	cert, key := c.issue(7)
	c.put("cert.pem", cert)
	c.put("key.pem", key)
	m := tcp(t)
	address := m.listener.Addr().String()
	m.flags = append(m.flags, "--tls-cert="+c.path("cert.pem"), "--tls-key="+c.path("key.pem"), "--tls-look=5")
	if flags != nil {
		m.flags = append(m.flags, flags(c)...)
	}
	m.dial = func() (net.Conn, error) { return tls.Dial("tcp", address, c.trusting()) }
	run(t, m, func(s *script) {
		s.log, c.script = slog.NewTextHandler(c.log, nil), s
		test(c)
	})
}

func (c *counter) path(name string) string { return filepath.Join(c.folder, name) }

// put replaces a file in one step, as those who renew certificates do.
func (c *counter) put(name string, text []byte) {
	c.notary.t.Helper()
	if err := os.WriteFile(c.path(name+".new"), text, 0o600); err != nil {
		c.notary.t.Fatal(err)
	}
	if err := os.Rename(c.path(name+".new"), c.path(name)); err != nil {
		c.notary.t.Fatal(err)
	}
}

func (c *counter) trusting() *tls.Config {
	return &tls.Config{RootCAs: c.pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// handshake returns the number of the certificate that the server shows, and what
// is wrong with a request after it. In TLS 1.3 a client hears that its own
// certificate is refused when it reads.
func (c *counter) handshake(config *tls.Config) (serial int64, version uint16, err error) {
	c.notary.t.Helper()
	conn, err := tls.Dial("tcp", c.medium.listener.Addr().String(), config)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close() }()
	state := conn.ConnectionState()
	serial, version = state.PeerCertificates[0].SerialNumber.Int64(), state.Version
	if _, err := io.WriteString(conn, "GET /healthcheck HTTP/1.1\r\nHost: rt.example.com\r\n\r\n"); err != nil {
		return serial, version, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return serial, version, err
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
		return serial, version, fmt.Errorf("answered %d %v", answer.StatusCode, answer.Header)
	}
	return serial, version, nil
}

func (c *counter) shows(serial int64) {
	c.notary.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		got, _, err := c.handshake(c.trusting())
		if err == nil && got == serial {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			c.notary.t.Fatalf("the server shows %d (%v), want %d; it logs %s", got, err, serial, c.log)
		}
	}
}

func (c *counter) logged(text string) {
	c.notary.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !strings.Contains(c.log.String(), text); {
		select {
		case <-tick.C:
		case <-deadline:
			c.notary.t.Fatalf("%q is not in the log %s", text, c.log)
		}
	}
}

// A certificate is renewed while clients are connected: they notice nothing, and
// who comes later gets the new one. A renewal that goes wrong leaves the old one.
func TestACertificateIsRenewed(t *testing.T) {
	t.Parallel()
	atCounter(t, nil, func(c *counter) {
		c.connect("bob", "")
		bob := c.client("bob")
		bob.fence("before")
		c.shows(7)

		cert, key := c.issue(8)
		c.put("cert.pem", cert) // and the key a moment later
		c.logged("the certificate could not be read anew")
		c.shows(7)
		c.put("key.pem", key)
		c.shows(8)
		bob.fence("after")

		c.put("cert.pem", cert[:len(cert)/2])
		c.logged("level=ERROR")
		c.shows(8)
		cert, key = c.issue(9)
		c.put("key.pem", key)
		c.put("cert.pem", cert)
		c.shows(9)
		bob.fence("at the end")
		if n := strings.Count(c.log.String(), "the certificate was read anew"); n != 2 {
			t.Errorf("said %d times that it was read: %s", n, c.log)
		}
		if strings.Contains(c.log.String(), "PRIVATE") {
			t.Error("the key is in the log")
		}
	})
}

func TestVersionsOfTLS(t *testing.T) {
	t.Parallel()
	speak := func(c *counter, version uint16) error {
		config := c.trusting()
		config.MinVersion, config.MaxVersion = version, version
		_, got, err := c.handshake(config)
		if err == nil && got != version {
			err = fmt.Errorf("spoke %x", got)
		}
		return err
	}
	for name, tt := range map[string]struct {
		flags   []string
		refused []uint16
	}{
		"by default":   {nil, []uint16{tls.VersionTLS10, tls.VersionTLS11}},
		"at least 1.3": {[]string{"--tls-min-version=1.3"}, []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12}},
		"at least 1.2": {[]string{"--tls-min-version=1.2"}, []uint16{tls.VersionTLS10, tls.VersionTLS11}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atCounter(t, func(*counter) []string { return tt.flags }, func(c *counter) {
				c.serve()
				for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
					err := speak(c, version)
					if (err != nil) != slices.Contains(tt.refused, version) {
						t.Errorf("version %x: %v", version, err)
					}
				}
			})
		})
	}
}

// A proxy shows its own certificate; who has none, or one of somebody else, does
// not come as far as HTTP.
func TestCallersThatNeedACertificate(t *testing.T) {
	t.Parallel()
	atCounter(t, func(c *counter) []string {
		c.put("callers.pem", c.pem())
		return []string{"--tls-client-ca=" + c.path("callers.pem")}
	}, func(c *counter) {
		c.serve()
		with := func(n *notary) *tls.Config {
			config := c.trusting()
			cert, key := n.issue(20)
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{pair}
			return config
		}
		if _, _, err := c.handshake(with(c.notary)); err != nil {
			t.Errorf("the proxy is refused: %v", err)
		}
		if _, _, err := c.handshake(c.trusting()); err == nil {
			t.Error("a caller without a certificate gets in")
		}
		if _, _, err := c.handshake(with(newNotary(t))); err == nil {
			t.Error("a caller with somebody else's certificate gets in")
		}
	})
}

func TestThePortThatSendsBrowsersToTLS(t *testing.T) {
	t.Parallel()
	server := newRedirect(4443, &http.Server{ReadHeaderTimeout: time.Second}).server
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	defer func() { _ = server.Close(); <-ended }()
	for name, tt := range map[string]struct {
		request  string
		status   int
		location string
	}{
		"a page":                     {"GET /status?a=%2F HTTP/1.1\r\nHost: rt.example.com", 308, "https://rt.example.com/status?a=%2F"},
		"a page of a port":           {"GET / HTTP/1.1\r\nHost: rt.example.com:8080", 308, "https://rt.example.com:4443/"},
		"an address of IPv6":         {"GET / HTTP/1.1\r\nHost: [::1]:8080", 308, "https://[::1]:4443/"},
		"a WebSocket":                {"GET /socket/websocket HTTP/1.1\r\nHost: rt.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket", 308, "https://rt.example.com/socket/websocket"},
		"a broadcast in the clear":   {"POST /api/broadcast HTTP/1.1\r\nHost: rt.example.com\r\nContent-Length: 0", 403, ""},
		"a host that is a trap":      {"GET / HTTP/1.1\r\nHost: evil.example@rt.example.com", 400, ""},
		"a path that looks like one": {"GET //evil.example/ HTTP/1.1\r\nHost: rt.example.com", 308, "https://rt.example.com//evil.example/"},
		"a path that is none":        {"GET http:.evil.example HTTP/1.1\r\nHost: rt.example.com", 400, ""},
		"another server's page":      {"GET http://evil.example/x HTTP/1.1\r\nHost: evil.example", 308, "https://evil.example/x"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, tt.request+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || answer.Header.Get("Location") != tt.location {
				t.Errorf("got %d %q", answer.StatusCode, answer.Header.Get("Location"))
			}
		})
	}
}

func TestSettingsOfTLSThatMakeNoSense(t *testing.T) {
	t.Parallel()
	n := newNotary(t)
	cert, key := n.issue(1)
	_, otherKey := n.issue(2)
	folder := t.TempDir()
	file := func(name string, text []byte) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, goodKey := file("cert", cert), file("key", key)
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"a certificate without a key":   {func(c *Config) { c.TLSCert = good }, "both of TLS_CERT and TLS_KEY"},
		"a key without a certificate":   {func(c *Config) { c.TLSKey = goodKey }, "both of TLS_CERT and TLS_KEY"},
		"a key of another":              {func(c *Config) { c.TLSCert, c.TLSKey = good, file("other", otherKey) }, "does not match"},
		"a file that is not there":      {func(c *Config) { c.TLSCert, c.TLSKey = good+"x", goodKey }, "read TLS_CERT"},
		"a redirect to nowhere":         {func(c *Config) { c.TLS.Redirect = 80 }, "TLS_REDIRECT_PORT is of no use"},
		"callers without a server's":    {func(c *Config) { c.TLS.ClientCA = good }, "TLS_CLIENT_CA is of no use"},
		"a CA that is none":             {func(c *Config) { c.TLSCert, c.TLSKey, c.TLS.ClientCA = good, goodKey, goodKey }, "TLS_CLIENT_CA holds no certificate"},
		"an origin that is none":        {func(c *Config) { c.Security.Origins = []string{"example.com"} }, "ALLOWED_ORIGINS: origin \"example.com\" must be like"},
		"a proxy that is a name":        {func(c *Config) { c.Security.Proxies = []string{"proxy"} }, "TRUSTED_PROXIES: \"proxy\" must be an address"},
		"a network that makes no sense": {func(c *Config) { c.Security.Uncounted = []string{"10.0.0.0/99"} }, "UNCOUNTED_ADDRESSES"},
	} {
		t.Run(name, func(t *testing.T) {
			var config Config
			tt.change(&config)
			_, err := New(config, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
