package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestConnectionsAreNamed(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrNoTenant) {
		t.Fatal(err)
	}
	const mine = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tutti_test'`
	if n := value[int](t, c.config, mine); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestThePoolHasAnEnd(t *testing.T) {
	t.Parallel()
	config := migrated(t).config
	config.PoolSize = 2
	c := open(t, config, gcm)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrNoTenant) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := c.pool.Stat().NewConnsCount(); n > 2 {
		t.Errorf("%d connections were made", n)
	}
}

func TestTheEnvironmentDoesNotCount(t *testing.T) {
	config := place(t)
	for name, value := range map[string]string{
		"PGHOST": "nowhere.invalid", "PGPORT": "1", "PGUSER": "nobody", "PGPASSWORD": "wrong", "PGDATABASE": "none",
		"PGAPPNAME": "other", "PGTARGETSESSIONATTRS": "standby", "PGOPTIONS": "-c search_path=nowhere",
	} {
		t.Setenv(name, value)
	}
	c := open(t, config, gcm)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Error(err)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		config ControlConfig
		says   string
	}{
		"an IP version that is none":    {ControlConfig{IPVersion: "5"}, `DB_IP_VERSION must be auto, ipv4 or ipv6, not "5"`},
		"certificates that are missing": {ControlConfig{SSL: true, SSLCACert: "missing.pem"}, "read DB_SSL_CA_CERT"},
		"certificates that are none":    {ControlConfig{SSL: true, SSLCACert: empty}, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := OpenControl(tt.config, nil); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %s", err, tt.says)
			}
		})
	}
}

func TestAddressesAreOfTheFamilyAskedFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version, host, want string
	}{
		"an IPv4 address for ipv4": {"ipv4", "127.0.0.1", "127.0.0.1"},
		"an IPv6 address for ipv6": {"ipv6", "::1", "::1"},
		"an IPv4 address for ipv6": {"ipv6", "127.0.0.1", ""},
		"an IPv6 address for ipv4": {"ipv4", "::1", ""},
		"any for auto":             {"auto", "::1", "::1"},
		"any, unless told":         {"", "127.0.0.1", "127.0.0.1"},
		"a name for ipv4":          {"ipv4", "localhost", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			find, err := lookup(tt.version)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := find(t.Context(), tt.host); strings.Join(got, " ") != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// certificate returns the folder of a certificate for names, signed by itself,
// in the files cert.pem and key.pem.
func certificate(t *testing.T, names ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tutti-cert")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// secured returns the port of a proxy that ends TLS with a certificate before a
// PostgreSQL that has none.
func secured(t *testing.T, target ControlConfig, folder string) uint16 {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { endTLS(client, pair, target) })
		}
	})
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func endTLS(client net.Conn, pair tls.Certificate, target ControlConfig) {
	defer client.Close()
	var first [8]byte
	if _, err := io.ReadFull(client, first[:]); err != nil {
		return
	}
	server, err := net.Dial("tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))))
	if err != nil {
		return
	}
	defer server.Close()
	if binary.BigEndian.Uint32(first[4:]) == 80877103 { // a request for TLS
		if _, err := client.Write([]byte("S")); err != nil {
			return
		}
		client = tls.Server(client, &tls.Config{Certificates: []tls.Certificate{pair}})
	} else if _, err := server.Write(first[:]); err != nil {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		io.Copy(client, server)
		client.Close()
	})
	io.Copy(server, client)
	server.Close()
	answers.Wait()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	target := place(t)
	ours, other := certificate(t, "127.0.0.1"), certificate(t, "elsewhere.invalid")
	here, elsewhere := secured(t, target, ours), secured(t, target, other)
	for name, tt := range map[string]struct {
		port uint16
		ssl  bool
		ca   string
		says string // "" is no error
	}{
		"is not used unless asked for":                 {port: here},
		"is not verified without certificates":         {port: here, ssl: true},
		"may then have any name":                       {port: elsewhere, ssl: true},
		"is verified with certificates":                {port: here, ssl: true, ca: ours},
		"is not trusted when somebody else signed it":  {port: here, ssl: true, ca: other, says: "certificate"},
		"is not trusted under another name":            {port: elsewhere, ssl: true, ca: other, says: "127.0.0.1"},
		"is missed where there is none":                {port: target.Port, ssl: true, says: "refused TLS"},
		"is not asked for by certificates, but DB_SSL": {port: here, ca: other},
	} {
		t.Run(name, func(t *testing.T) {
			config := target
			config.Port, config.SSL = tt.port, tt.ssl
			if tt.ca != "" {
				config.SSLCACert = filepath.Join(tt.ca, "cert.pem")
			}
			err := open(t, config, gcm).Migrate(t.Context())
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
